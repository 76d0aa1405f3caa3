use super::*;
use crate::output::{PLAIN, to_json};

fn neighbour(contact: &str, kind: &str, connected: bool) -> v1::Neighbour {
    v1::Neighbour {
        node: vec![0xab; 32],
        contact: contact.into(),
        standing: "paired".into(),
        kind: kind.into(),
        connected,
        known: 3,
        to_offer: 1,
        to_send: 1,
        brought_bytes: 5_000,
    }
}

#[test]
fn neighbours_are_shown_by_name_or_by_key() {
    let shown = v1::ShowMeshResponse {
        neighbours: vec![
            neighbour("bob", "carrier", true),
            neighbour("", "", true),
            neighbour("\u{1b}[2Jeve", "", false),
        ],
        ..v1::ShowMeshResponse::default()
    };
    let text = PeersView::from(shown).human(&PLAIN);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("bob") && lines[0].contains("carrier"), "{text}");
    assert!(lines[0].ends_with("holds 3 of ours  brought 4 KiB  2 bundles on the way"), "{text}");
    assert!(lines[1].starts_with("abab") && lines[1].contains("connecting"), "{text}");
    assert!(lines[2].contains("not connected") && !text.contains('\u{1b}'), "{text}");
    assert!(PeersView { neighbours: Vec::new() }.human(&PLAIN).contains("qpq status"));
}

#[test]
fn json_of_a_neighbour_is_plain() {
    let shown =
        v1::ShowMeshResponse { neighbours: vec![neighbour("bob", "carrier", true)], ..Default::default() };
    let json: serde_json::Value = serde_json::from_str(&to_json(&PeersView::from(shown)).unwrap()).unwrap();
    assert_eq!(json["schema"], "qpq.mesh-peers/1");
    assert_eq!(json["neighbours"][0]["node"], "ab".repeat(32));
    assert_eq!(json["neighbours"][0]["brought_bytes"], 5_000);
    assert!(json["neighbours"][0].get("node_short").is_none());
}

#[test]
fn a_route_says_which_way_it_is() {
    let route = |contact: &str, way: &str, waiting| v1::Route {
        contact: contact.into(),
        way: way.into(),
        nodes: Vec::new(),
        waiting,
    };
    let routes = vec![route("bob", "direct", 0), route("carol", "carried", 2), route("dave", "waiting", 1)];
    let found = v1::ShowRouteResponse { routes, carriers: 1, mobiles: 2 };
    let text = RouteView::new("#team".into(), found).human(&PLAIN);
    assert!(text.contains("bob    directly: connected"), "{text}");
    assert!(text.contains("by 1 carrier and 2 other nodes") && text.contains("2 wait already"), "{text}");
    assert!(text.contains("dave   not now"), "{text}");
}

#[test]
fn custody_is_shown_by_share() {
    let share =
        v1::CustodyShare { standing: "stranger".into(), bytes: 1_048_576, bytes_max: 4_194_304, bundles: 1 };
    let custody = v1::CustodyStatus {
        bytes: 2_000_000_000,
        bytes_max: 2_147_483_648,
        bundles: 12,
        tombstones: 4,
        volatile: true,
        shares: vec![share],
    };
    let text = StoreView::from(custody).human(&PLAIN);
    assert!(text.starts_with("12 bundles, 1 GiB of 2 GiB in memory"), "{text}");
    assert!(text.ends_with("stranger  1 bundle  1 MiB of 4 MiB"), "{text}");
}

#[test]
fn a_bundle_says_whose_it_is_as_far_as_it_is_known() {
    let bundle = |standing: &str, message: &[u8]| {
        let status = v1::BundleStatus {
            id: vec![1; 32],
            class: "message".into(),
            body_bytes: 1_024,
            remaining_s: 7_200,
            standing: standing.into(),
            message: message.to_vec(),
            ..v1::BundleStatus::default()
        };
        BundleView::from(status).human(&PLAIN)
    };
    assert!(bundle("own", &[2; 16]).ends_with("ours, message 02020202-0202-0202-0202-020202020202"));
    assert!(bundle("own", &[]).ends_with("ours"));
    assert!(bundle("stranger", &[]).contains("1 KiB  ends in 2 h  held by 0 more  brought by a stranger"));
}
