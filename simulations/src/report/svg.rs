//! Curves as SVG, without any library and without any script.

use std::fmt::Write as _;

/// A curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What it is called in the legend.
    pub name: String,
    /// Its points, by x.
    pub points: Vec<(f64, f64)>,
}

/// A picture of some curves.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What stands above it.
    pub title: String,
    /// What stands below the x axis.
    pub x: String,
    /// What stands beside the y axis.
    pub y: String,
    /// The curves.
    pub curves: Vec<Curve>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 132.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 48.0;
/// Colours that people who see no red or green can tell apart (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

impl Chart {
    /// The picture.
    pub fn svg(&self) -> String {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let most = |value: fn(&(f64, f64)) -> f64| points().map(value).fold(0.0, f64::max);
        let (x_most, y_most) = (ceiling(most(|point| point.0)), ceiling(most(|point| point.1)));
        let place = |(x, y): (f64, f64)| {
            let across = LEFT + x / x_most * (WIDTH - LEFT - RIGHT);
            let down = HEIGHT - BOTTOM - y / y_most * (HEIGHT - TOP - BOTTOM);
            format!("{across:.1},{down:.1}")
        };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             font-family=\"sans-serif\" font-size=\"12\">\n<title>{}</title>\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n",
            escaped(&self.title)
        );
        self.frame(&mut svg, x_most, y_most);
        for (index, curve) in self.curves.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let line: Vec<String> = curve.points.iter().copied().map(place).collect();
            let (x, y) = (WIDTH - RIGHT + 12.0, TOP + 8.0 + 18.0 * index as f64);
            _ = writeln!(
                svg,
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\n\
                 <rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>\
                 <text x=\"{}\" y=\"{}\">{}</text>",
                line.join(" "),
                x + 18.0,
                y + 6.0,
                escaped(&curve.name)
            );
        }
        svg + "</svg>\n"
    }

    fn frame(&self, svg: &mut String, x_most: f64, y_most: f64) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for step in 0..=4 {
            let part = f64::from(step) / 4.0;
            let (x, y) = (LEFT + part * (right - LEFT), bottom - part * (bottom - TOP));
            _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#dddddd\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                number(y_most * part),
                bottom + 18.0,
                number(x_most * part),
            );
        }
        _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#333333\"/>\n\
             <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{}</text>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escaped(&self.title),
            (LEFT + right) / 2.0,
            HEIGHT - 10.0,
            escaped(&self.x),
            (TOP + bottom) / 2.0,
            escaped(&self.y),
        );
    }
}

/// The next number of the form 1, 2, 4, 5 or 8 times a power of ten.
fn ceiling(value: f64) -> f64 {
    let mut power = 1e-6;
    while power * 10.0 < value {
        power *= 10.0;
    }
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(1.0)
}

fn number(value: f64) -> String {
    let text = if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    match text.split_once('.') {
        Some((whole, part)) if part.trim_end_matches('0').is_empty() => whole.to_owned(),
        _ => text,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
