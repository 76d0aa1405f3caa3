//! The command line, run as a person would.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;

use super::Arguments;
use crate::movement::trace::{Format, parse};

const SCENARIO: &str = r#"
    name = "small"
    about = "a few people on a small plain"
    duration_s = 600.0
    lifetime_s = 300.0
    [contacts]
    model = "radio"
    width_m = 200.0
    height_m = 200.0
    step_s = 1.0
    [[link]]
    name = "wifi"
    range_m = 30.0
    rate = 100000.0
    loss = 0.1
    [[group]]
    name = "people"
    count = 10
    role = "mobile"
    buffer_bytes = 1000000
    links = ["wifi"]
    movement = { model = "waypoint", speed = [1.0, 3.0], pause = [0.0, 5.0] }
    [traffic]
    interval_s = [2.0, 4.0]
    size_bytes = [100, 9000]
"#;

/// Runs a command line in a folder with the scenario, `DIR/` standing for the folder.
fn run_in(folder: &Path, line: &str) -> (String, ExitCode) {
    std::fs::write(folder.join("small.toml"), SCENARIO).unwrap();
    let line = line.replace("DIR", &folder.display().to_string());
    let arguments =
        Arguments::try_parse_from(["qpq-sim"].into_iter().chain(line.split_whitespace())).unwrap();
    let mut out = Vec::new();
    let code = arguments.run(&mut out).unwrap();
    (String::from_utf8(out).unwrap(), code)
}

fn run(line: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (out, code) = run_in(folder.path(), line);
    assert_eq!(code, ExitCode::SUCCESS, "{out}");
    out
}

fn object(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_sweep_is_its_runs() {
    let sweep = run("sweep DIR/small.toml --seeds 3..5 --router spray --router direct --json");
    let rows: Vec<_> = sweep.lines().map(object).collect();
    assert_eq!(rows.len(), 6);
    for (row, (router, seed)) in
        rows.iter().zip(["spray", "direct"].iter().flat_map(|r| [3, 4, 5].map(|s| (r, s))))
    {
        let single = object(&run(&format!("run DIR/small.toml --seed {seed} --router {router} --json")));
        for field in ["seed", "router", "delivered", "bytes", "trace_hash"] {
            assert_eq!(row[field], single[field], "{field}");
        }
    }
}

#[test]
fn a_saved_run_can_be_had_again_and_a_changed_one_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), "run DIR/small.toml --seed 4 --router prophet --nodes 20 --save DIR/saved.json");
    let (out, code) = run_in(folder.path(), "replay DIR/saved.json");
    assert!(out.starts_with("the same run"), "{out}");
    assert_eq!(code, ExitCode::SUCCESS);
    let file = folder.path().join("saved.json");
    let changed = std::fs::read_to_string(&file).unwrap().replace("\"seed\": 4", "\"seed\": 5");
    std::fs::write(&file, changed).unwrap();
    let (out, code) = run_in(folder.path(), "replay DIR/saved.json");
    assert!(out.starts_with("a different run"), "{out}");
    assert_eq!(code, ExitCode::from(1));
}

#[test]
fn no_router_is_better_than_the_bound() {
    let bound = object(&run("bound DIR/small.toml --seed 2"));
    let epidemic = object(&run("run DIR/small.toml --seed 2 --router epidemic --buffers unlimited --json"));
    assert!(epidemic["delivered"].as_u64() <= bound["delivered"].as_u64());
    assert!(epidemic["delivered"].as_u64().unwrap() * 10 > bound["delivered"].as_u64().unwrap() * 9);
}

#[test]
fn printed_contacts_can_be_imported_and_give_the_same_deliveries() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, _) = run_in(folder.path(), "contacts DIR/small.toml --seed 6");
    assert!(parse(&trace, Format::One, 0).unwrap().len() > 20);
    std::fs::write(folder.path().join("trace.txt"), trace).unwrap();
    let contacts = SCENARIO.split("[contacts]").nth(1).unwrap().split("[[link]]").next().unwrap();
    let imported = SCENARIO
        .replace(contacts, "\nmodel = \"trace\"\nfile = \"trace.txt\"\nformat = \"one\"\nlink = \"wifi\"\n")
        .replace(
            "{ model = \"waypoint\", speed = [1.0, 3.0], pause = [0.0, 5.0] }",
            "{ model = \"recorded\" }",
        );
    std::fs::write(folder.path().join("imported.toml"), imported).unwrap();
    let hash = |file: &str| {
        let (out, _) =
            run_in(folder.path(), &format!("run DIR/{file}.toml --seed 6 --router epidemic --json"));
        object(&out)["trace_hash"].clone()
    };
    assert_eq!(hash("imported"), hash("small"));
}

#[test]
fn a_report_prints_a_table_and_targets_draws_curves_and_goes_on_with_what_it_kept() {
    let folder = tempfile::tempdir().unwrap();
    let line = "report DIR/small.toml --seeds 1..2 --svg DIR/curves --keep DIR/kept";
    let (text, code) = run_in(folder.path(), line);
    assert_eq!(code, ExitCode::SUCCESS, "{text}");
    for row in ["direct", "epidemic", "spray", "prophet", "ours", "oracle", "bound"] {
        assert!(text.contains(&format!("| {row} |")), "{row}: {text}");
    }
    let verdicts = ["**met**", "**equal**", "**missed**"];
    let judged = text.lines().filter(|line| verdicts.iter().any(|verdict| line.contains(verdict))).count();
    assert_eq!(judged, 7, "{text}");
    for name in ["delay", "ratio", "bytes", "held"] {
        let svg = std::fs::read_to_string(folder.path().join(format!("curves/small-{name}.svg"))).unwrap();
        assert!(svg.contains(">oracle<") && svg.contains("<polyline"), "{name}: {svg}");
    }
    let kept = || std::fs::read_to_string(folder.path().join("kept/small.jsonl")).unwrap();
    let before = kept();
    assert_eq!(before.lines().count(), 14);
    let (again, _) = run_in(folder.path(), line);
    assert_eq!((again, kept()), (text, before), "nothing was run again");
}

#[test]
fn bad_seeds_are_refused() {
    for seeds in ["3", "5..4", "a..b", "1..18446744073709551615"] {
        let line = ["qpq-sim", "sweep", "x.toml", "--seeds", seeds];
        assert!(Arguments::try_parse_from(line).is_err(), "{seeds}");
    }
}

#[test]
fn what_cannot_be_run_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), "run DIR/small.toml --router direct");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("broken.toml", "name = \"small".into());
    write("plain.toml", SCENARIO.replace("[traffic]", "[traffic]\npadding = \"none\""));
    let flood =
        "[flood]\ngroup = \"people\"\nbody_bytes = 1024\nbundles_per_call = 4\nstanding = \"stranger\"\n";
    write("flood.toml", format!("{SCENARIO}{flood}"));
    let cases = [
        ("run DIR/broken.toml", "is no scenario"),
        ("run DIR/nowhere.toml", "cannot read"),
        ("run DIR/small.toml --nodes 1", "two nodes at least"),
        ("run DIR/plain.toml", "ours always pads"),
        ("run DIR/flood.toml --router spray", "spray knows nothing of the calls"),
        ("replay DIR/broken.toml", "nothing that run --save wrote"),
        ("carrier DIR/small.toml --folder DIR", "is not empty"),
    ];
    for (line, reason) in cases {
        let line = line.replace("DIR", &folder.path().display().to_string());
        let arguments =
            Arguments::try_parse_from(["qpq-sim"].into_iter().chain(line.split_whitespace())).unwrap();
        let error = arguments.run(&mut Vec::new()).unwrap_err();
        assert!(format!("{error:#}").contains(reason), "{line}: {error:#}");
    }
    assert!(Arguments::try_parse_from(["qpq-sim", "run", "x.toml", "--router", "best"]).is_err());
}
