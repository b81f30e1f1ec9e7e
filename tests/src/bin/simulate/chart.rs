//! Line charts as SVG, legible on light and on dark pages.
//!
//! Separate from the page, which knows what is drawn; here is only how. Written by hand, because a plotting crate
//! would be the largest dependency of the tests.

use std::fmt::Write;

/// One chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// What the horizontal axis shows.
    pub(crate) across: &'static str,
    pub(crate) scale: Scale,
    /// What the vertical axis shows.
    pub(crate) up: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// How the horizontal axis is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    /// One step for each factor of ten.
    Logarithmic,
}

/// A named line through points.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
    /// Drawn thin and dashed, without marks: a law and no measurement.
    pub(crate) law: bool,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 545.0;
const TOP: f64 = 78.0;
const BOTTOM: f64 = 356.0;
/// How far apart the names at the line ends stay.
const LEADING: f64 = 19.0;

/// Colours that people who see red and green alike can tell apart, on white and on near black.
const STYLE: &str = "\
.ground{fill:#fff}.title{font:600 18px system-ui,'DejaVu Sans',sans-serif}.words{font:13px system-ui,'DejaVu Sans',sans-serif}text{fill:#1c1e21}\
.faint{fill:#5f6670}.grid{stroke:#dfe3e8}.axis{stroke:#8a919b}\
.c0{stroke:#0067a5}.c1{stroke:#c14f00}.c2{stroke:#00805c}.c3{stroke:#6d7480}\
.f0{fill:#0067a5}.f1{fill:#c14f00}.f2{fill:#00805c}.f3{fill:#6d7480}\
@media(prefers-color-scheme:dark){.ground{fill:#15181c}text{fill:#eceff3}.faint{fill:#a4adb8}.grid{stroke:#2c3138}\
.axis{stroke:#6d7480}.c0{stroke:#5cb6ef}.c1{stroke:#f5a04a}.c2{stroke:#45d3a4}.c3{stroke:#9aa3ae}\
.f0{fill:#5cb6ef}.f1{fill:#f5a04a}.f2{fill:#45d3a4}.f3{fill:#9aa3ae}}";

impl Chart {
    /// The chart as a picture that needs nothing else.
    pub(crate) fn svg(&self) -> String {
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n",
            self.title,
        );
        text(&mut out, "title", "start", LEFT - 40.0, 32.0, self.title);
        text(&mut out, "words faint", "start", LEFT - 40.0, 52.0, self.up);
        text(
            &mut out,
            "words faint",
            "middle",
            f64::midpoint(LEFT, RIGHT),
            HEIGHT - 18.0,
            self.across,
        );
        self.grid(&mut out);
        for (number, line) in self.lines.iter().enumerate() {
            self.line(&mut out, number, line);
        }
        self.names(&mut out);
        out.push_str("</svg>\n");
        out
    }

    fn grid(&self, out: &mut String) {
        for tick in self.ticks_up() {
            let y = self.y(tick);
            let _ = writeln!(out, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
            text(out, "words faint", "end", LEFT - 8.0, y + 4.5, &number(tick));
        }
        for (x, label) in self.ticks_across() {
            let x = self.x(x);
            let _ = writeln!(out, "<path class=\"axis\" d=\"M{x:.1} {BOTTOM}v5\"/>");
            text(out, "words faint", "middle", x, BOTTOM + 21.0, &label);
        }
        let _ = writeln!(out, "<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>");
    }

    fn line(&self, out: &mut String, number: usize, line: &Line) {
        let mut path = String::new();
        for (at, (x, y)) in line.points.iter().enumerate() {
            let pen = if at == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{pen}{:.1} {:.1}", self.x(*x), self.y(*y));
        }
        let look = if line.law {
            "stroke-width=\"1.5\" stroke-dasharray=\"5 5\""
        } else {
            "stroke-width=\"2.5\""
        };
        let _ = writeln!(
            out,
            "<path class=\"c{number}\" fill=\"none\" {look} stroke-linejoin=\"round\" d=\"{path}\"/>"
        );
        if line.law {
            return;
        }
        for (x, y) in &line.points {
            let (x, y) = (self.x(*x), self.y(*y));
            // Each line has a mark of its own, for eyes and printers without colour.
            let _ = match number {
                0 => writeln!(out, "<circle class=\"f0\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>"),
                1 => writeln!(
                    out,
                    "<rect class=\"f1\" x=\"{:.1}\" y=\"{:.1}\" width=\"8\" height=\"8\"/>",
                    x - 4.0,
                    y - 4.0
                ),
                _ => writeln!(
                    out,
                    "<path class=\"f{number}\" d=\"M{x:.1} {:.1}l5 9h-10z\"/>",
                    y - 5.5
                ),
            };
        }
    }

    /// The names of the lines, each at its end, none on another.
    fn names(&self, out: &mut String) {
        let mut names: Vec<(f64, usize, &Line)> = self
            .lines
            .iter()
            .enumerate()
            .map(|(number, line)| {
                (self.y(line.points.last().map_or(0.0, |point| point.1)), number, line)
            })
            .collect();
        names.sort_by(|left, right| left.0.total_cmp(&right.0));
        let mut lowest = f64::MIN;
        for (y, ..) in &mut names {
            *y = y.max(lowest + LEADING);
            lowest = *y;
        }
        let below = (lowest - (BOTTOM - 4.0)).max(0.0);
        for (y, number, line) in names {
            let last = line.points.last().map_or(0.0, |point| point.1);
            let label = if line.law {
                line.name.to_owned()
            } else {
                format!("{} {}", line.name, self::number(last))
            };
            text(out, &format!("words f{number}"), "start", RIGHT + 12.0, y - below + 4.5, &label);
        }
    }

    fn x(&self, value: f64) -> f64 {
        let [least, most] = self.span();
        let place = match self.scale {
            Scale::Linear => (value - least) / (most - least),
            Scale::Logarithmic => (value / least).ln() / (most / least).ln(),
        };
        (RIGHT - LEFT).mul_add(place, LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        let ticks = self.ticks_up();
        let (least, most) =
            (ticks.first().copied().unwrap_or(0.0), ticks.last().copied().unwrap_or(1.0));
        (TOP - BOTTOM).mul_add((value - least) / (most - least), BOTTOM)
    }

    fn span(&self) -> [f64; 2] {
        let xs = || self.lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
        [xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max)]
    }

    /// Round numbers from below the least value to above the most; shares end at a hundred.
    fn ticks_up(&self) -> Vec<f64> {
        let ys = || self.lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
        let most = ys().fold(0.0, f64::max);
        let least = if self.up == "percent" { ys().fold(100.0, f64::min).min(98.0) } else { 0.0 };
        let rough = (most - least).max(1e-9) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .map(|step| step * power)
            .into_iter()
            .find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let (first, last) = ((least / step).floor(), (most / step - 1e-6).ceil());
        let mut ticks = vec![first * step];
        while ticks.last().is_some_and(|tick| tick + step / 2.0 < last * step) {
            ticks.push(ticks.last().copied().unwrap_or_default() + step);
        }
        ticks
    }

    fn ticks_across(&self) -> Vec<(f64, String)> {
        let [least, most] = self.span();
        match self.scale {
            Scale::Linear => {
                let step = if most > 25.0 { 10.0 } else { 5.0 };
                let marks = (0_u32..).map(|count| f64::from(count) * step);
                marks
                    .skip_while(|x| *x < least)
                    .take_while(|x| *x <= most)
                    .map(|x| (x, number(x)))
                    .collect()
            }
            Scale::Logarithmic => {
                let marks = (0..12).map(|power| 10_f64.powi(power));
                marks.filter(|x| (least..=most).contains(x)).map(|x| (x, short(x))).collect()
            }
        }
    }
}

fn text(out: &mut String, class: &str, anchor: &str, x: f64, y: f64, words: &str) {
    let _ = writeln!(
        out,
        "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>"
    );
}

fn number(value: f64) -> String {
    if value >= 1000.0 {
        format!("{},{:03.0}", (value / 1000.0).floor(), (value % 1000.0).floor())
    } else if value > 100.0 || (value - value.round()).abs() < 0.05 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

fn short(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{} M", value / 1e6),
        _ if value >= 1e3 => format!("{} k", value / 1e3),
        _ => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: &[(f64, f64)], up: &'static str) -> Chart {
        let line = Line { name: "line", points: points.to_vec(), law: false };
        Chart { title: "title", across: "across", scale: Scale::Linear, up, lines: vec![line] }
    }

    #[test]
    fn the_axis_begins_at_zero_and_ends_above_the_most() {
        let ticks = chart(&[(0.0, 130.0), (50.0, 612.0)], "milliseconds").ticks_up();
        assert_eq!(ticks, [0.0, 200.0, 400.0, 600.0, 800.0]);
    }

    #[test]
    fn shares_have_an_axis_that_ends_at_a_hundred() {
        let ticks = chart(&[(0.0, 100.0), (20.0, 97.2)], "percent").ticks_up();
        assert!((ticks.last().unwrap() - 100.0).abs() < 1e-9 && ticks[0] <= 97.2, "{ticks:?}");
    }

    #[test]
    fn points_lie_between_the_axes() {
        let svg = chart(&[(0.0, 0.0), (50.0, 612.0)], "milliseconds").svg();
        assert!(svg.contains("M64.0 356.0L545.0 "), "{svg}");
    }
}
