//! A drawing of a node, its neighbours, the links between, and what it carries.

use std::f64::consts::TAU;
use std::fmt::Write;

use crate::printable::printable;
use crate::views::mesh::{NeighbourView, ShareView, StoreView};
use crate::views::short;

/// Pixels from the node to its neighbours: a ring on which so many names do not touch.
const RADIUS_MIN: f64 = 150.0;
/// Pixels of the ring for one neighbour.
const ARC: f64 = 72.0;
/// Pixels beside the ring, for names.
const MARGIN: f64 = 110.0;
/// Pixels of the bar that shows the custody.
const BAR_WIDTH: f64 = 240.0;
/// Characters of a name.
const LABEL_CHARS: usize = 18;

/// Draws, as SVG 1.1.
pub(super) fn draw(node: &[u8], kind: &str, neighbours: &[NeighbourView], custody: &StoreView) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a node has at most a few thousand neighbours")]
    let count = neighbours.len() as f64;
    let radius = RADIUS_MIN.max(count * ARC / TAU);
    let width = 2.0 * (radius + MARGIN);
    let centre = radius + MARGIN;
    let height = width + 120.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let mut links = String::new();
    let mut nodes = String::new();
    let mut angle = -TAU / 4.0;
    for neighbour in neighbours {
        let (x, y) = (centre + radius * angle.cos(), centre + radius * angle.sin());
        link(&mut links, neighbour, (centre, centre), (x, y));
        circle(&mut nodes, (x, y), 16.0, &neighbour.kind, colour(&neighbour.standing));
        label(&mut nodes, (x, y + 32.0), &neighbour.label());
        let about = if neighbour.kind.is_empty() { "not connected" } else { &neighbour.kind };
        label(&mut nodes, (x, y + 46.0), &format!("{about}, {}", neighbour.standing));
        angle += TAU / count;
    }
    circle(&mut nodes, (centre, centre), 22.0, kind, "#1b7f5c");
    label(&mut nodes, (centre, centre + 38.0), &format!("this node {}", short(node)));
    label(&mut nodes, (centre, centre + 52.0), kind);
    svg.push_str(&links);
    svg.push_str(&nodes);
    shares(&mut svg, (centre - BAR_WIDTH / 2.0, width), custody);
    svg.push_str("</svg>\n");
    svg
}

fn link(svg: &mut String, neighbour: &NeighbourView, from: (f64, f64), to: (f64, f64)) {
    let dashes = if neighbour.connected { "" } else { " stroke-dasharray=\"6 5\"" };
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#8a94a0\" stroke-width=\"2\"{dashes}/>",
        from.0, from.1, to.0, to.1
    );
}

/// A carrier is a square, everything else round.
fn circle(svg: &mut String, at: (f64, f64), size: f64, kind: &str, fill: &str) {
    let corner = if kind == "carrier" { 3.0 } else { size };
    let _ = writeln!(
        svg,
        "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{corner:.1}\" fill=\"{fill}\"/>",
        at.0 - size,
        at.1 - size,
        size * 2.0,
        size * 2.0
    );
}

fn label(svg: &mut String, at: (f64, f64), text: &str) {
    let shown: String = printable(text).chars().take(LABEL_CHARS + 10).collect();
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#20262d\">{}</text>",
        at.0,
        at.1,
        escape(&shown)
    );
}

/// How full the custody is, and for whom.
fn shares(svg: &mut String, at: (f64, f64), custody: &StoreView) {
    let title = format!("{} bundles, {} of {} bytes", custody.bundles, custody.bytes, custody.bytes_max);
    label(svg, (at.0 + BAR_WIDTH / 2.0, at.1), &title);
    let top = at.1 + 12.0;
    let _ = writeln!(
        svg,
        "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{BAR_WIDTH:.1}\" height=\"18\" fill=\"#e8ebee\"/>",
        at.0
    );
    let mut left = at.0;
    for share in &custody.shares {
        let width = part(share, custody.bytes_max) * BAR_WIDTH;
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"18\" fill=\"{}\"/>",
            colour(&share.standing)
        );
        left += width;
    }
    let mut left = at.0;
    for share in &custody.shares {
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#20262d\">{}</text>",
            top + 28.0,
            colour(&share.standing),
            left + 14.0,
            top + 37.0,
            escape(&printable(&share.standing))
        );
        left += BAR_WIDTH / 4.0;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a drawing needs no more than a pixel")]
fn part(share: &ShareView, bytes_max: u64) -> f64 {
    share.bytes as f64 / bytes_max.max(1) as f64
}

fn colour(standing: &str) -> &'static str {
    match standing {
        "own" => "#1b7f5c",
        "paired" => "#2f6fb3",
        "contact" => "#7a5bb0",
        _ => "#b07c2f",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use qpq_proto::v1;

    use super::*;

    fn neighbour(contact: &str, connected: bool) -> NeighbourView {
        NeighbourView::from(v1::Neighbour {
            node: vec![7; 32],
            contact: contact.into(),
            standing: "contact".into(),
            kind: if connected { "carrier".into() } else { String::new() },
            connected,
            ..v1::Neighbour::default()
        })
    }

    fn custody() -> StoreView {
        let share = |standing: &str, bytes| v1::CustodyShare {
            standing: standing.into(),
            bytes,
            ..v1::CustodyShare::default()
        };
        StoreView::from(v1::CustodyStatus {
            bytes: 75,
            bytes_max: 100,
            bundles: 2,
            shares: vec![share("own", 50), share("stranger", 25)],
            ..v1::CustodyStatus::default()
        })
    }

    #[test]
    fn each_neighbour_has_a_link_and_a_name() {
        for count in [0, 1, 2, 7, 200] {
            let neighbours: Vec<_> =
                (0..count).map(|number| neighbour(&format!("n{number}"), true)).collect();
            let svg = draw(&[1; 32], "mobile", &neighbours, &custody());
            assert_eq!(svg.matches("<line").count(), count);
            assert!((0..count).all(|number| svg.contains(&format!(">n{number}</text>"))), "{svg}");
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
        }
    }

    #[test]
    fn a_link_that_is_down_is_dashed() {
        let svg = draw(&[1; 32], "mobile", &[neighbour("bob", true), neighbour("carol", false)], &custody());
        assert_eq!(svg.matches("stroke-dasharray").count(), 1);
        assert!(svg.contains("not connected"));
    }

    #[test]
    fn names_cannot_break_out() {
        let svg = draw(&[1; 32], "mobile", &[neighbour("</text><script>\u{202e}\"&", true)], &custody());
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;"), "{svg}");
        assert!(!svg.contains("<script>") && !svg.contains('\u{202e}'), "{svg}");
    }

    #[test]
    fn the_bar_shows_how_full_it_is() {
        let svg = draw(&[1; 32], "carrier", &[], &custody());
        assert!(svg.contains("width=\"120.0\" height=\"18\" fill=\"#1b7f5c\""), "{svg}");
        assert!(svg.contains("width=\"60.0\" height=\"18\" fill=\"#b07c2f\""), "{svg}");
        assert!(svg.contains("2 bundles, 75 of 100 bytes"), "{svg}");
    }
}
