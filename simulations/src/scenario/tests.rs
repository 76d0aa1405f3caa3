//! Scenarios are read, checked and scaled.

use std::path::Path;

use super::*;
use crate::traffic::messages;

const FILES: [(&str, &str); 10] = [
    ("bus-lines", include_str!("../../scenarios/bus-lines.toml")),
    ("community", include_str!("../../scenarios/community.toml")),
    ("faults", include_str!("../../scenarios/faults.toml")),
    ("carrier", include_str!("../../scenarios/carrier.toml")),
    ("flood", include_str!("../../scenarios/flood.toml")),
    ("helsinki", include_str!("../../scenarios/helsinki.toml")),
    ("partition-heal", include_str!("../../scenarios/partition-heal.toml")),
    ("random-waypoint", include_str!("../../scenarios/random-waypoint.toml")),
    ("router-mesh", include_str!("../../scenarios/router-mesh.toml")),
    ("the-one", include_str!("../../scenarios/the-one.toml")),
];

fn file(name: &str) -> &'static str {
    FILES.iter().find(|(other, _)| *other == name).unwrap().1
}

fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse(text, Path::new("test.toml"))
}

#[test]
fn every_scenario_of_ours_can_be_read_and_is_called_like_its_file() {
    for (name, text) in FILES {
        let scenario = parse(text).unwrap();
        assert_eq!(scenario.name, name);
        let again: Scenario = serde_json::from_str(&serde_json::to_string(&scenario).unwrap()).unwrap();
        assert_eq!(again, scenario, "what replay reads is what run saved");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let cases = [
        ("helsinki", "duration_s = 43200.0", "duration_s = 0.0", "duration_s is not above 0"),
        ("helsinki", "spray_copies = 10", "spray_copies = 0", "spray_copies is 0"),
        ("helsinki", "rate = 250000.0", "rate = -1.0", "rate of link bluetooth"),
        ("helsinki", "columns = 18", "columns = 1", "two columns"),
        ("helsinki", "links = [\"bluetooth\"]", "links = [\"teeth\"]", "no [[link]] called teeth"),
        ("helsinki", "speed = [0.5, 1.5]", "speed = [1.5, 0.5]", "speed of group pedestrians"),
        ("faults", "wrong_clock = 0.5", "wrong_clock = 1.5", "a chance"),
        ("faults", "down_s = [1.0", "down_s = [0.0", "down_s"),
        ("helsinki", "roads = {", "places = {", "unknown field `columns`"),
        ("helsinki", "size_bytes = [1000, 10000]", "size_bytes = [1000, 100000]", "64 KiB"),
        ("helsinki", "interval_s = [5.0", "interval_s = [50.0", "interval_s"),
        ("community", "from = [\"people\"]", "from = [\"dogs\"]", "the group dogs"),
        ("community", "model = \"community\"", "model = \"router\"", "unknown field `evening_out`"),
        ("router-mesh", "{ model = \"router\" }", "{ model = \"recorded\" }", "needs a trace"),
        ("router-mesh", "islands = 4", "islands = 0", "one island"),
        ("router-mesh", "loss = 0.005", "loss = 1.0", "loss of link wifi"),
        ("router-mesh", "degree = 6.0", "degree = 6.0\ndegrees = 7.0", "unknown field `degrees`"),
        ("random-waypoint", "[traffic]", "[trafic]", "unknown field `trafic`"),
    ];
    for (name, from, to, reason) in cases {
        let text = file(name);
        assert!(text.contains(from), "{name}: {from}");
        let error = parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(reason), "{name}, {to}: {error}");
    }
}

#[test]
fn a_scenario_that_is_not_there_is_named() {
    let error = Scenario::read(Path::new("nowhere.toml")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read nowhere.toml");
}

#[test]
fn scaling_keeps_density_and_what_each_node_writes() {
    let small = parse(file("helsinki")).unwrap();
    let large = small.clone().scaled_to(504);
    assert_eq!(large.node_count(), 504);
    let area = |scenario: &Scenario| match &scenario.contacts {
        ContactModel::Radio(radio) => radio.width_m * radio.height_m,
        other => panic!("{other:?}"),
    };
    assert!((area(&large) / area(&small) - 4.0).abs() < 1e-9);
    let each = |scenario: &Scenario| messages(scenario, 1).len() as f64 / scenario.node_count() as f64;
    assert!((each(&large) / each(&small) - 1.0).abs() < 0.05);
}

#[test]
fn nodes_are_numbered_by_group() {
    let scenario = parse(file("helsinki")).unwrap();
    assert_eq!(scenario.members(0), 0..80);
    assert_eq!(scenario.members(2), 120..126);
    let nodes = scenario.nodes();
    assert_eq!(nodes.len(), 126);
    assert_eq!((nodes[119].group, nodes[120].group), (1, 2));
    assert_eq!(nodes[125].buffer_bytes, Some(50_000_000));
}

#[test]
fn messages_are_as_the_scenario_says() {
    for (name, text) in FILES {
        let scenario = parse(text).unwrap();
        let traffic = &scenario.traffic;
        let messages = messages(&scenario, 7);
        let padded = |bytes| traffic.padding.padded(bytes);
        let [least, most] = traffic.size_bytes;
        assert!(messages.len() > 100, "{name}");
        for pair in messages.windows(2) {
            assert!(pair[0].created < pair[1].created, "{name}");
        }
        for message in &messages {
            assert!((padded(least)..=padded(most)).contains(&message.body_bytes), "{name}");
            assert!(!message.is_for(message.source) && !message.recipients.is_empty(), "{name}");
            assert!(message.recipients.is_sorted_by(|a, b| a < b), "{name}");
        }
        let groups = messages.iter().filter(|message| message.recipients.len() > 1).count();
        let share = groups as f64 / messages.len() as f64;
        assert!((share - traffic.group_share).abs() < 0.05, "{name}: {share}");
    }
}

#[test]
fn bodies_are_padded_to_their_class() {
    for (bytes, padded) in [(1, 1024), (1024, 1024), (1025, 4096), (4097, 16_384), (16_385, 65_536)] {
        assert_eq!(Padding::SizeClasses.padded(bytes), padded);
        assert_eq!(Padding::None.padded(bytes), bytes);
    }
}
