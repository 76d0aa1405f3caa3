//! Whether a scenario makes sense.

use super::traffic::SIZE_CLASSES;
use super::{ContactModel, Graph, Group, Movement, Radio, Scenario, ScenarioError, Spot, Traffic};

/// What the mesh allows a message at most.
const LIFETIME_S_MAX: f64 = 14.0 * 86_400.0;

type Checked = Result<(), ScenarioError>;

/// Refuses what cannot be run, with the reason.
pub(super) fn check(scenario: &Scenario) -> Checked {
    positive("duration_s", scenario.duration_s)?;
    positive("lifetime_s", scenario.lifetime_s)?;
    require(scenario.lifetime_s <= LIFETIME_S_MAX, "lifetime_s exceeds that of a message, 14 days")?;
    require(scenario.spray_copies > 0, "spray_copies is 0: a message needs one copy at least")?;
    require(scenario.node_count() > 1, "a run needs two nodes at least")?;
    for link in &scenario.links {
        positive(&format!("rate of link {}", link.name), link.rate)?;
        require((0.0..1.0).contains(&link.loss), format!("loss of link {} is not in [0, 1)", link.name))?;
    }
    if let Some(faults) = &scenario.faults {
        let chances = [faults.crash_chance, faults.wrong_clock, faults.redb_share];
        require(chances.iter().all(|chance| (0.0..=1.0).contains(chance)), "a chance is not in [0, 1]")?;
        let [least, most] = faults.down_s;
        require(0.0 < least && least <= most, "down_s is not a range above 0")?;
    }
    if let Some(flood) = &scenario.flood {
        let known = scenario.groups.iter().any(|group| group.name == flood.group);
        require(known, format!("the flood names the group {}, which there is not", flood.group))?;
        require(SIZE_CLASSES.contains(&flood.body_bytes), "body_bytes of the flood is no size class")?;
        require((1..=64).contains(&flood.bundles_per_call), "bundles_per_call is not from 1 to 64")?;
    }
    check_contacts(scenario)?;
    for group in &scenario.groups {
        check_group(scenario, group)?;
    }
    check_traffic(scenario)
}

fn check_contacts(scenario: &Scenario) -> Checked {
    match &scenario.contacts {
        ContactModel::Radio(radio) => check_radio(radio),
        ContactModel::Graph(graph) => {
            check_graph(graph)?;
            known_link(scenario, &graph.link)?;
            known_link(scenario, &graph.bridge)
        }
        ContactModel::Trace(trace) => known_link(scenario, &trace.link),
    }
}

fn check_radio(radio: &Radio) -> Checked {
    for (name, value) in [("width_m", radio.width_m), ("height_m", radio.height_m), ("step_s", radio.step_s)]
    {
        positive(name, value)?;
    }
    if let Some(roads) = &radio.roads {
        require(roads.columns > 1 && roads.rows > 1, "roads need two columns and two rows at least")?;
        require(roads.columns * roads.rows < 65_536, "roads have 65,535 crossings at most")?;
    }
    if let Some(places) = &radio.places {
        let fewest = places.homes.min(places.works).min(places.evenings);
        require(fewest > 0, "places need one home, one workplace and one place for the evening at least")?;
    }
    Ok(())
}

fn check_graph(graph: &Graph) -> Checked {
    require(graph.islands > 0, "a graph has one island at least")?;
    for (name, value) in [("degree", graph.degree), ("up_s", graph.up_s), ("together_s", graph.together_s)] {
        positive(name, value)?;
    }
    Ok(())
}

fn check_group(scenario: &Scenario, group: &Group) -> Checked {
    for link in &group.links {
        known_link(scenario, link)?;
    }
    let (radio, graph, trace) = match &scenario.contacts {
        ContactModel::Radio(radio) => (Some(radio), false, false),
        ContactModel::Graph(_) => (None, true, false),
        ContactModel::Trace(_) => (None, false, true),
    };
    let roads = radio.is_some_and(|radio| radio.roads.is_some());
    let places = radio.is_some_and(|radio| radio.places.is_some());
    let (fits, needs) = match &group.movement {
        Movement::Still { at: Spot::Anywhere } | Movement::Waypoint { .. } => (radio.is_some(), "a plane"),
        Movement::Still { at: Spot::Crossing | Spot::Stop }
        | Movement::Roads { .. }
        | Movement::Line { .. } => (roads, "roads"),
        Movement::Still { .. } | Movement::Community { .. } => (places, "places"),
        Movement::Router {} | Movement::Attached { .. } => (graph, "a graph"),
        Movement::Recorded {} => (trace, "a trace"),
    };
    require(fits, format!("the movement of group {} needs {needs} in [contacts]", group.name))?;
    check_movement(group)
}

fn check_movement(group: &Group) -> Checked {
    let speed = match &group.movement {
        Movement::Waypoint { speed, .. }
        | Movement::Roads { speed, .. }
        | Movement::Line { speed, .. }
        | Movement::Community { speed, .. } => *speed,
        _ => return Ok(()),
    };
    require(
        speed[0] > 0.0 && speed[0] <= speed[1],
        format!("speed of group {} is not from a positive to a greater number", group.name),
    )?;
    if let Movement::Line { lines, stops, .. } = group.movement {
        require(lines > 0 && stops > 1, format!("group {} needs a line of two stops at least", group.name))?;
    }
    Ok(())
}

fn check_traffic(scenario: &Scenario) -> Checked {
    let Traffic { interval_s, size_bytes, .. } = scenario.traffic;
    require(interval_s[0] > 0.0 && interval_s[0] <= interval_s[1], "interval_s is not a range above 0")?;
    require(size_bytes[0] > 0 && size_bytes[0] <= size_bytes[1], "size_bytes is not a range above 0")?;
    require(size_bytes[1] <= SIZE_CLASSES[3], "size_bytes exceeds the greatest class, 64 KiB")?;
    require(scenario.traffic.group_size > 1, "a group needs two members at least")?;
    let named = [&scenario.traffic.from, &scenario.traffic.to].into_iter().flatten().flatten();
    for name in named {
        let known = scenario.groups.iter().any(|group| group.name == *name);
        require(known, format!("traffic names the group {name}, which there is not"))?;
    }
    Ok(())
}

fn known_link(scenario: &Scenario, name: &str) -> Checked {
    require(scenario.link(name).is_some(), format!("there is no [[link]] called {name}"))
}

fn positive(name: &str, value: f64) -> Checked {
    require(value > 0.0 && value.is_finite(), format!("{name} is not above 0"))
}

fn require(holds: bool, reason: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(ScenarioError::Senseless(reason.into())) }
}
