//! Figures are what they say they are.

use super::svg::{Chart, Curve};
use super::*;
use crate::run::Setting;
use crate::testing;

fn figures(router: RouterKind, seed: u64) -> Figures {
    let mut scenario = testing::scenario(2, 100.0);
    scenario.contacts = serde_json::from_str(
        r#"{"model":"radio","width_m":300.0,"height_m":300.0,"step_s":1.0,"warm_up_s":0.0,"roads":null,"places":null}"#,
    )
    .unwrap();
    scenario.links[0].range_m = 60.0;
    scenario.groups[0].count = 12;
    scenario.groups[0].buffer_bytes = 1 << 20;
    scenario.groups[0].movement =
        serde_json::from_str(r#"{"model":"waypoint","speed":[2.0,9.0],"pause":[0.0,1.0]}"#).unwrap();
    Setting::new(scenario, seed).unwrap().run(router, Buffers::Scenario)
}

#[test]
fn percentiles_are_by_nearest_rank() {
    let values: Vec<f64> = (1..=10).map(f64::from).collect();
    assert_eq!(percentile(&values, 50), Some(5.0));
    assert_eq!(percentile(&values, 95), Some(10.0));
    assert_eq!(percentile(&values, 0), Some(1.0));
    assert_eq!(percentile(&[], 50), None);
}

#[test]
fn figures_agree_with_each_other() {
    for router in RouterKind::ALL {
        let row = figures(router, 1);
        assert!(
            row.delivered > 0 && row.delivered <= row.created,
            "{router:?}: {} of {}",
            row.delivered,
            row.created
        );
        assert_eq!(row.violations, 0, "{:?}", row.first_violations);
        assert_eq!(row.ratio, row.delivered as f64 / row.created as f64);
        let overhead = (row.transmissions as f64 - row.delivered as f64) / row.delivered as f64;
        assert_eq!(row.overhead, Some(overhead));
        assert!(row.body_bytes < row.bytes && row.body_bytes >= 1024 * row.transmissions);
        assert!(row.median_delay_s <= row.p95_delay_s);
        let last = row.samples.last().unwrap();
        assert_eq!((last.created, last.delivered, last.bytes), (row.created, row.delivered, row.bytes));
        assert!(row.samples.iter().is_sorted_by_key(|at| at.delivered));
    }
}

#[test]
fn the_object_has_the_promised_fields() {
    let object = serde_json::to_value(figures(RouterKind::Spray, 1)).unwrap();
    let promised = [
        "delivered",
        "created",
        "ratio",
        "median_delay_s",
        "p95_delay_s",
        "transmissions",
        "bytes",
        "overhead",
        "violations",
        "trace_hash",
        "wall_s",
    ];
    for field in promised {
        assert!(object.get(field).is_some(), "{field}: {object}");
    }
    assert!(object["violations"].is_number());
}

#[test]
fn the_same_seed_gives_the_same_hash_and_another_seed_another() {
    for router in RouterKind::ALL {
        let same = Figures { wall_s: 0.0, ..figures(router, 1) };
        assert_eq!(same, Figures { wall_s: 0.0, ..figures(router, 1) });
        assert_ne!(same.trace_hash, figures(router, 2).trace_hash);
    }
}

#[test]
fn a_table_has_a_line_for_each_run_and_one_for_the_mean() {
    let rows = [figures(RouterKind::Spray, 1), figures(RouterKind::Spray, 2), figures(RouterKind::Direct, 1)];
    let text = table::table(&rows);
    assert_eq!(text.lines().count(), 5, "{text}");
    assert_eq!(text.lines().filter(|line| line.contains(" mean ")).count(), 1, "{text}");
}

#[test]
fn curves_stay_within_their_frame() {
    let curve = |name: &str, points| Curve { name: name.into(), points };
    let chart = Chart {
        title: "a < b & c".into(),
        x: "hours".into(),
        y: "ratio".into(),
        curves: vec![
            curve("one", vec![(0.0, 0.0), (12.0, 0.93)]),
            curve("two", vec![(0.0, 0.1), (6.0, 0.2)]),
        ],
    };
    let svg = chart.svg();
    assert!(svg.contains("<title>a &lt; b &amp; c</title>"));
    let lines: Vec<&str> = svg.lines().filter(|line| line.starts_with("<polyline")).collect();
    assert_eq!(lines.len(), 2);
    // 12 hours and 0.93 in a frame that ends at 20 and 1.
    assert!(lines[0].ends_with("points=\"64.0,312.0 378.4,55.3\"/>"), "{}", lines[0]);
}
