//! Movement stays within its bounds and speeds; contacts are well-formed, and happen when they must.

use std::path::Path;

use super::contact::{Change, Contact, ContactError, check, intervals};
use super::crowd::Crowd;
use super::roads::RoadMap;
use super::trace::{Format, parse, print};
use super::{Point, contacts};
use crate::random::Random;
use crate::scenario::{ContactModel, Radio, Roads, Scenario};
use crate::time::{Time, seconds};

const HEAD: &str = r#"
    name = "test"
    about = "movement"
    duration_s = 7200.0
    lifetime_s = 600.0
    traffic = { interval_s = [1.0, 2.0], size_bytes = [1, 100] }
    [[link]]
    name = "near"
    range_m = 50.0
    rate = 1000.0
    [contacts]
    model = "radio"
    width_m = 1000.0
    height_m = 800.0
    step_s = 1.0
    roads = { columns = 6, rows = 5, jitter = 0.5, missing = 0.3, drivable = 0.7 }
    places = { homes = 9, works = 3, evenings = 2, radius_m = 15.0 }
"#;

fn group(count: usize, movement: &str) -> String {
    format!(
        "[[group]]\nname = \"g\"\nrole = \"mobile\"\nbuffer_bytes = 1\nlinks = [\"near\"]\ncount = {count}\n\
         movement = {{ {movement} }}\n"
    )
}

fn scenario(text: &str) -> Scenario {
    Scenario::parse(text, Path::new("test")).unwrap()
}

fn radio(scenario: &Scenario) -> &Radio {
    match &scenario.contacts {
        ContactModel::Radio(radio) => radio,
        other => panic!("{other:?}"),
    }
}

const MODELS: [(&str, f64); 6] = [
    ("model = \"still\", at = \"anywhere\"", 0.0),
    ("model = \"waypoint\", speed = [1.0, 3.0], pause = [0.0, 20.0]", 3.0),
    ("model = \"roads\", speed = [2.0, 4.0], pause = [0.0, 20.0]", 4.0),
    ("model = \"roads\", speed = [2.0, 9.0], pause = [0.0, 20.0], drives = true", 9.0),
    ("model = \"line\", lines = 2, stops = 4, speed = [5.0, 8.0], pause = [5.0, 9.0]", 8.0),
    ("model = \"line\", lines = 2, stops = 4, round = true, speed = [5.0, 8.0], pause = [5.0, 9.0]", 8.0),
];

#[test]
fn nobody_leaves_the_plane_or_moves_faster_than_the_group_may() {
    let community = ("model = \"community\", speed = [1.0, 5.0], evening_out = 0.5", 5.0);
    for (model, fastest) in MODELS.into_iter().chain([community]) {
        let scenario = scenario(&(HEAD.to_owned() + &group(12, model)));
        let mut crowd = Crowd::new(&scenario, radio(&scenario), 3);
        let mut before: Vec<Point> = (0..12).map(|node| crowd.at(node)).collect();
        let mut way = 0.0;
        for second in 1..20_000_u32 {
            crowd.advance(Time::from_secs_f64(f64::from(second)), |_, _| {});
            for (node, before) in before.iter_mut().enumerate() {
                let at = crowd.at(node);
                let gone = before.distance(at);
                assert!(gone <= fastest * 1.0001, "{model}: {gone} m in a second");
                assert!((0.0..=1000.0).contains(&at.x) && (0.0..=800.0).contains(&at.y), "{model}: {at:?}");
                (*before, way) = (at, way + gone);
            }
        }
        assert_eq!(way > 0.0, fastest > 0.0, "{model}");
    }
}

#[test]
fn people_are_at_work_by_day_and_at_home_by_night() {
    let movement = "model = \"community\", speed = [5.0, 5.0], evening_out = 0.0";
    let scenario = scenario(&(HEAD.to_owned() + &group(9, movement)));
    let mut crowd = Crowd::new(&scenario, radio(&scenario), 1);
    let mut at_hour = |hour: f64| {
        crowd.advance(Time::from_secs_f64(hour * 3600.0), |_, _| {});
        (0..9).map(|node| crowd.at(node)).collect::<Vec<_>>()
    };
    let (night, day, evening, weekend) = (at_hour(5.0), at_hour(12.0), at_hour(30.0), at_hour(5.5 * 24.0));
    for person in 0..9 {
        assert!(night[person].distance(evening[person]) <= 30.0, "both at home");
        assert!(night[person].distance(weekend[person]) <= 30.0, "no work on the sixth day");
    }
    let moved = (0..9).filter(|person| night[*person].distance(day[*person]) > 30.0).count();
    assert!(moved >= 7, "{moved} of 9 are elsewhere at noon");
}

#[test]
fn every_crossing_can_be_reached_by_the_shortest_way_also_by_car() {
    let plan = Roads { columns: 7, rows: 6, jitter: 0.6, missing: 0.4, drivable: 0.6 };
    let scenario = scenario(&(HEAD.to_owned() + &group(2, MODELS[0].0)));
    let mut random = Random::new(5, "test", 0);
    let mut map = RoadMap::new(&plan, radio(&scenario), &mut random);
    // A grid of 7 by 6 has 71 roads, and 43 are left.
    assert_eq!(map.count(), (42, 43));
    for (from, to) in (0..42).flat_map(|from| (0..42).map(move |to| (from, to))) {
        let way = map.way_between(from, to);
        assert!(way.windows(2).all(|step| map.are_joined(step[0], step[1], true)), "{way:?}");
        assert_eq!((way.first(), way.last()), (Some(&from), Some(&to)));
    }
}

#[test]
fn a_contact_lasts_while_two_are_in_reach() {
    let text = HEAD.to_owned()
        + &group(8, MODELS[1].0)
        + &group(8, MODELS[3].0)
        + &group(4, "model = \"still\", at = \"stop\"").replace("\"g\"", "\"s\"")
        + &group(2, MODELS[4].0).replace("\"g\"", "\"v\"");
    let scenario = scenario(&text.replace("7200.0", "900.0"));
    let contacts = contacts(&scenario, 9).unwrap();
    assert!(contacts.len() > 20, "{}", contacts.len());
    let mut crowd = Crowd::new(&scenario, radio(&scenario), 9);
    let intervals = intervals(&contacts, &scenario);
    for second in 0..900 {
        let now = Time::from_secs_f64(f64::from(second));
        crowd.advance(now, |_, _| {});
        for (a, b) in (0..22).flat_map(|a| (a + 1..22).map(move |b| (a, b))) {
            let near = crowd.at(a as usize).distance(crowd.at(b as usize)) <= 50.0;
            let met = intervals.iter().any(|i| (i.a, i.b) == (a, b) && i.up <= now && now < i.down);
            assert_eq!(near, met, "{a} and {b} at {second} s");
        }
    }
}

#[test]
fn the_better_of_two_links_is_used_where_both_reach() {
    let far = "[[link]]\nname = \"far\"\nrange_m = 2000.0\nrate = 10.0\n";
    let text = HEAD.replace("[contacts]", &format!("{far}[contacts]")) + &group(6, MODELS[1].0);
    let scenario = scenario(&text.replace("[\"near\"]", "[\"near\", \"far\"]"));
    let contacts = contacts(&scenario, 2).unwrap();
    let ups = |class| contacts.iter().filter(|contact| contact.change == Change::Up(class)).count();
    assert!(ups(0) > 0 && ups(1) >= 15, "{} near, {} far", ups(0), ups(1));
    // Everybody is always in reach by one of them: what ends begins again in the same moment.
    let intervals = intervals(&contacts, &scenario);
    let sum: f64 = intervals.iter().map(|i| i.down.since(i.up).as_secs_f64()).sum();
    assert_eq!(sum, 15.0 * 7200.0);
}

fn graph(islands: usize, apart_s: f64) -> Scenario {
    let text = HEAD.split("[contacts]").next().unwrap().to_owned()
        + &format!(
            "[contacts]\nmodel = \"graph\"\nislands = {islands}\ndegree = 4.0\nlink = \"near\"\nup_s = 500.0\n\
             down_s = 100.0\nbridge = \"near\"\nbridges = 2\napart_s = {apart_s:?}\ntogether_s = 600.0\n"
        )
        + &group(20, "model = \"router\"")
        + &group(10, "model = \"attached\", session_s = 300.0, away_s = 300.0, roam = 0.3")
            .replace("\"g\"", "\"u\"");
    scenario(&text)
}

#[test]
fn islands_are_joined_only_while_they_may_be() {
    let scenario = graph(2, 3000.0);
    let contacts = contacts(&scenario, 4).unwrap();
    let joined = |at: Time| (at.as_micros() % 3_600_000_000) >= 3_000_000_000;
    let mut bridges = 0;
    for interval in intervals(&contacts, &scenario) {
        let island = |node: u32| if node < 20 { node / 10 } else { node % 2 };
        if island(interval.a) != island(interval.b) {
            assert!(joined(interval.up), "{interval:?}");
            bridges += 1;
        }
    }
    assert!(bridges >= 2, "{bridges}");
}

#[test]
fn an_island_is_connected_and_has_its_degree_when_all_links_hold() {
    let mut scenario = graph(1, 0.0);
    if let ContactModel::Graph(graph) = &mut scenario.contacts {
        graph.down_s = 0.0;
    }
    scenario.groups.truncate(1);
    let contacts = contacts(&scenario, 8).unwrap();
    assert_eq!(contacts.len(), 40);
    let mut reached = vec![0_u32];
    for _ in 0..20 {
        for Contact { a, b, .. } in &contacts {
            match (reached.contains(a), reached.contains(b)) {
                (true, false) => reached.push(*b),
                (false, true) => reached.push(*a),
                _ => {}
            }
        }
    }
    assert_eq!(reached.len(), 20);
}

#[test]
fn the_same_seed_gives_the_same_contacts() {
    let scenario = scenario(&(HEAD.to_owned() + &group(10, MODELS[1].0)));
    assert_eq!(contacts(&scenario, 1).unwrap(), contacts(&scenario, 1).unwrap());
    assert_ne!(contacts(&scenario, 1).unwrap(), contacts(&scenario, 2).unwrap());
}

#[test]
fn traces_are_read_in_both_formats() {
    let at = |second: f64, change| Contact { at: Time::from_secs_f64(second), a: 1, b: 2, change };
    let expected = vec![at(1.5, Change::Up(3)), at(9.0, Change::Down)];
    let one = "# comment\n1.5 CONN 2 1 up\n\n3.0 C M1 1 2 500\n9 CONN 1 2 down\n";
    assert_eq!(parse(one, Format::One, 3).unwrap(), expected);
    let csv = "start,end,a,b\n4,9.0,1,2\n1.5,4,2,1\n";
    assert_eq!(parse(csv, Format::Csv, 3).unwrap(), expected);
    assert_eq!(parse(&print(&expected), Format::One, 3).unwrap(), expected);
}

#[test]
fn bad_lines_of_a_trace_are_named() {
    let bad = [
        (Format::One, "1 CONN 1 2 up\n2 CONN 1 2 sideways\n"),
        (Format::One, "1 CONN 1 2 up\nx CONN 1 2 down\n"),
        (Format::One, "1 CONN 1 2 up\nnonsense\n"),
        (Format::Csv, "1,2,3,4\n5,4,1,2\n"),
        (Format::Csv, "1,2,3,4\n1,2,3\n"),
        (Format::Csv, "1,2,3,4\n-1,2,3,4\n"),
    ];
    for (format, text) in bad {
        let error = parse(text, format, 0).unwrap_err();
        assert!(matches!(error, ContactError::Line { line: 2, .. }), "{text}: {error}");
    }
}

#[test]
fn contacts_that_contradict_themselves_are_refused() {
    let scenario = crate::testing::scenario(3, 100.0);
    let contact = |at, a, b, change| Contact { at: Time::ZERO + seconds(at), a, b, change };
    let (up, down) = (Change::Up(0), Change::Down);
    let refused = |contacts: &[Contact]| check(contacts, &scenario).unwrap_err();
    assert!(check(&[contact(1.0, 0, 1, up), contact(2.0, 0, 1, down)], &scenario).is_ok());
    assert!(matches!(refused(&[contact(1.0, 0, 3, up)]), ContactError::UnknownNode { node: 3, .. }));
    let late = [contact(2.0, 0, 1, up), contact(1.0, 0, 2, up)];
    assert!(matches!(refused(&late), ContactError::OutOfOrder { .. }));
    for pair in [[up, up], [down, up]] {
        let twice = [contact(1.0, 0, 1, pair[0]), contact(2.0, 0, 1, pair[1])];
        assert!(matches!(refused(&twice), ContactError::Contradiction { .. }));
    }
    assert!(matches!(refused(&[contact(1.0, 1, 1, up)]), ContactError::Contradiction { .. }));
}
