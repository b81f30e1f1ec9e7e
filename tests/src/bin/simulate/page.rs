//! The tables and plots of `docs/simulation.md`, and the law behind them.
//!
//! Separate from the runs: it only formats. What a person wrote in the page stays; each table stands between two marks.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use mainstay_tests::internet::{Figures, Quantiles, Spending};

use crate::plots::charts;
use crate::sweep::{Row, Sweep};

/// The columns of what is printed while it runs.
pub(crate) const HEADING: &str = "              first value       complete   first ack     quorum      packets   found  stored recall  vain  table";

/// One row as it is printed.
pub(crate) fn line(row: &Row, figures: &Figures) -> String {
    format!(
        "{:>10}  {:>5.0}/{:>5.0}/{:>5.0}  {:>5.0}/{:>5.0}  {:>5.0}  {:>5.0}/{:>5.0}/{:>5.0}  {:>3.0}/{:>3.0}  {:.4} {:.4} {:.4}  {:.2}  {:>4}",
        row.label,
        figures.first_value.median(),
        figures.first_value.at(0.9),
        figures.first_value.at(0.99),
        figures.complete.median(),
        figures.complete.at(0.99),
        figures.first_ack.median(),
        figures.quorum.median(),
        figures.quorum.at(0.9),
        figures.quorum.at(0.99),
        figures.get_packets.median(),
        figures.put_packets.median(),
        figures.found,
        figures.stored,
        figures.recall,
        figures.vain,
        figures.table,
    )
}

/// How latency and packets grow with the network: a straight line over the logarithm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// Milliseconds of the first value: at one node, and for each doubling.
    latency: [f64; 2],
    /// The share of the variance that the line explains.
    fit: f64,
    /// Packets of a get: at one node, and for each doubling.
    packets: [f64; 2],
}

impl Growth {
    /// The line of least squares through these rows; `None` for fewer than three.
    pub(crate) fn of(results: &[&(Row, Figures)]) -> Option<Self> {
        if results.len() < 3 {
            return None;
        }
        let points = |of: fn(&Figures) -> f64| -> Vec<(f64, f64)> {
            results.iter().map(|(row, figures)| (row.at.log2(), of(figures))).collect()
        };
        let (latency, fit) = line_through(&points(|figures| figures.first_value.median()));
        let (packets, _) = line_through(&points(|figures| figures.get_packets.mean()));
        Some(Self { latency, fit, packets })
    }

    /// Milliseconds that it expects for this many nodes.
    pub(crate) fn latency_at(&self, nodes: f64) -> f64 {
        self.latency[1].mul_add(nodes.log2(), self.latency[0])
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Each doubling of the network costs **{:.1} ms** before the first value (median; {:.0} ms for each factor of ten; \
             the line explains {:.1} % of the variance) and **{:.2} packets** a get.",
            self.latency[1],
            self.latency[1] * 10_f64.log2(),
            self.fit * 100.0,
            self.packets[1],
        )
    }
}

/// Intercept and slope, and the share of the variance explained.
#[expect(clippy::cast_precision_loss, reason = "a handful of points")]
fn line_through(points: &[(f64, f64)]) -> ([f64; 2], f64) {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
    let slope = sum(&|point| (point.0 - x) * (point.1 - y)) / sum(&|point| (point.0 - x).powi(2));
    let intercept = slope.mul_add(-x, y);
    let missed = sum(&|point| (slope.mul_add(-point.0, point.1) - intercept).powi(2));
    let fit = 1.0 - missed / sum(&|point| (point.1 - y).powi(2)).max(f64::MIN_POSITIVE);
    ([intercept, slope], fit)
}

/// The most memory this process ever had, where the system says.
pub(crate) fn peak_memory() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(format!("{} MB", kilobytes / 1000))
}

/// Writes the tables into the page and the plots beside it.
pub(crate) fn write(docs: &Path, results: &[(Row, Figures)]) -> io::Result<()> {
    let file = docs.join("simulation.md");
    let mut page = fs::read_to_string(&file)?;
    for sweep in [Sweep::Nodes, Sweep::Dead, Sweep::Loss, Sweep::Sybils] {
        page = between(&page, sweep.name(), &table(sweep, results))?;
    }
    page = between(&page, "path", &paths(results))?;
    page = between(&page, "floor", &floors(results))?;
    page = between(&page, "spent", &spent(results))?;
    let nodes: Vec<_> = results.iter().filter(|(row, _)| row.sweep == Sweep::Nodes).collect();
    if let Some(growth) = Growth::of(&nodes) {
        page = between(&page, "growth", &growth.to_string())?;
        let memory = peak_memory().unwrap_or_else(|| "unknown".to_owned());
        page = between(
            &page,
            "memory",
            &format!("All rows together took at most {memory} of memory."),
        )?;
        fs::create_dir_all(docs.join("plots"))?;
        for (name, chart) in charts(results, &growth) {
            fs::write(docs.join("plots").join(format!("{name}.svg")), chart.svg())?;
        }
    }
    fs::write(file, page)
}

/// The page with `text` between the two marks of that name.
fn between(page: &str, name: &str, text: &str) -> io::Result<String> {
    let [begin, end] = [format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->")];
    let missing = || io::Error::new(io::ErrorKind::InvalidData, format!("no {begin}"));
    let (head, rest) = page.split_once(&begin).ok_or_else(missing)?;
    let (_, tail) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{head}{begin}{}\n{end}{tail}", text.trim_end()))
}

fn table(sweep: Sweep, results: &[(Row, Figures)]) -> String {
    let mut text = format!(
        "| {} | first value | complete | first ack | quorum | packets | found | stored | recall | vain |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        sweep.name(),
    );
    let share = |share: f64| format!("{:.2} %", share * 100.0);
    for (row, figures) in results.iter().filter(|(row, _)| row.sweep == sweep) {
        let cells = [
            row.label.clone(),
            three(&figures.first_value),
            three(&figures.complete),
            three(&figures.first_ack),
            three(&figures.quorum),
            format!("{:.0} / {:.0}", figures.get_packets.median(), figures.put_packets.median()),
            share(figures.found),
            share(figures.stored),
            share(figures.recall),
            format!("{:.0} %", figures.vain * 100.0),
        ];
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

fn three(times: &Quantiles) -> String {
    format!("{:.0} / {:.0} / {:.0}", times.median(), times.at(0.9), times.at(0.99))
}

fn paths(results: &[(Row, Figures)]) -> String {
    let mut text = "| nodes | get: answers in a row | answering | waiting for the silent | put: answers in a row | answering | waiting for the silent |\n\
                    |---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for (row, figures) in results.iter().filter(|(row, _)| row.sweep == Sweep::Nodes) {
        text.push_str(&format!(
            "| {} | {:.1} | {:.0} ms | {:.0} ms | {:.1} | {:.0} ms | {:.0} ms |\n",
            row.label,
            figures.hops.mean(),
            figures.answering.mean(),
            figures.stalling.mean(),
            figures.put_hops.mean(),
            figures.put_answering.mean(),
            figures.put_stalling.mean(),
        ));
    }
    text
}

/// What nobody can be quicker than, beside the node.
pub(crate) fn floors(results: &[(Row, Figures)]) -> String {
    let mut text = "| nodes | holders known | everybody asked at once | its queries | 24 in flight, none silent | the node |\n\
                    |---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    let two = |times: &Quantiles| format!("{:.0} / {:.0}", times.median(), times.at(0.99));
    for (row, figures) in results.iter().filter(|(row, _)| row.sweep == Sweep::Nodes) {
        let [holders, everybody, in_flight] = &figures.floors;
        text.push_str(&format!(
            "| {} | {} | {} | {:.0} | {} | {} |\n",
            row.label,
            two(holders),
            two(everybody),
            figures.floor_asks.median(),
            two(in_flight),
            two(&figures.first_value),
        ));
    }
    text
}

/// Where the packets of a put go, means.
pub(crate) fn spent(results: &[(Row, Figures)]) -> String {
    let mut text = "| nodes | for a token | that led on | in vain | stores on the way | stores at the end | all |\n\
                    |---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for (row, figures) in results.iter().filter(|(row, _)| row.sweep == Sweep::Nodes) {
        let parts: [fn(&Spending) -> usize; 6] = [
            |spent| spent.tokens,
            |spent| spent.leading,
            |spent| spent.vain,
            |spent| spent.early,
            |spent| spent.late,
            Spending::total,
        ];
        let cells = parts.map(|part| format!("{:.1}", mean(&figures.spent, part)));
        text.push_str(&format!("| {} | {} |\n", row.label, cells.join(" | ")));
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred puts of a few hundred packets")]
fn mean(spent: &[Spending], part: fn(&Spending) -> usize) -> f64 {
    spent.iter().map(part).sum::<usize>() as f64 / spent.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_through_points_on_it() {
        let ([intercept, slope], fit) = line_through(&[(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)]);
        assert!((intercept - 3.0).abs() < 1e-9 && (slope - 2.0).abs() < 1e-9);
        assert!((fit - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_a_person_wrote_around_a_table_stays() {
        let page = "# Title\n<!-- dead -->\nold\n<!-- end of dead -->\nprose\n";
        let written = between(page, "dead", "new\n").unwrap();
        assert_eq!(written, "# Title\n<!-- dead -->\nnew\n<!-- end of dead -->\nprose\n");
        assert!(between(page, "loss", "x").is_err());
    }
}
