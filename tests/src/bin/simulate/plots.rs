//! The plots of the page: which figure is drawn against what.
//!
//! Separate from the charts, which know lines and no figures.

use mainstay_tests::internet::Figures;

use crate::chart::{Chart, Line, Scale};
use crate::page::Growth;
use crate::sweep::{Row, Sweep};

type Results = [(Row, Figures)];
/// The name of a line and the figure it shows.
type Shown = (&'static str, fn(&Figures) -> f64);

const TIMES: [Shown; 3] = [
    ("first value, median", |figures| figures.first_value.median()),
    ("first value, 99 %", |figures| figures.first_value.at(0.99)),
    ("put, quorum, median", |figures| figures.quorum.median()),
];
const SHARES: [Shown; 3] = [
    ("found", |figures| figures.found * 100.0),
    ("stored", |figures| figures.stored * 100.0),
    ("recall", |figures| figures.recall * 100.0),
];
const PACKETS: [Shown; 2] =
    [("get", |figures| figures.get_packets.mean()), ("put", |figures| figures.put_packets.mean())];

/// Every plot, by file name.
pub(crate) fn charts(results: &Results, growth: &Growth) -> Vec<(&'static str, Chart)> {
    let mut latency = chart(
        results,
        Sweep::Nodes,
        &TIMES,
        "Latency grows with the logarithm of the network",
        "milliseconds",
    );
    let measured = latency.lines.first().map_or(&[][..], |line| &line.points);
    let law = measured.iter().map(|(nodes, _)| (*nodes, growth.latency_at(*nodes))).collect();
    latency.lines.push(Line { name: "fitted law", points: law, law: true });
    let times = |sweep, title| chart(results, sweep, &TIMES, title, "milliseconds");
    let shares = |sweep, title| chart(results, sweep, &SHARES, title, "percent");
    let packets = chart(results, Sweep::Nodes, &PACKETS, "Packets for one get or put", "packets");
    vec![
        ("latency", latency),
        ("packets", packets),
        ("dead", times(Sweep::Dead, "Latency against dead contacts")),
        ("loss", times(Sweep::Loss, "Latency against loss")),
        ("success-dead", shares(Sweep::Dead, "Success against dead contacts")),
        ("success-loss", shares(Sweep::Loss, "Success against loss")),
        ("success-sybils", shares(Sweep::Sybils, "Success against sybils")),
    ]
}

fn chart(
    results: &Results,
    sweep: Sweep,
    shown: &[Shown],
    title: &'static str,
    up: &'static str,
) -> Chart {
    let (across, scale, unit) = match sweep {
        Sweep::Nodes => ("nodes", Scale::Logarithmic, 1.0),
        Sweep::Dead => ("dead contacts, percent", Scale::Linear, 100.0),
        Sweep::Loss => ("packets lost each way, percent", Scale::Linear, 100.0),
        Sweep::Sybils => ("sybils, percent", Scale::Linear, 100.0),
    };
    let lines = shown.iter().map(|(name, of)| {
        let rows = results.iter().filter(|(row, _)| row.sweep == sweep);
        let points = rows.map(|(row, figures)| (row.at * unit, of(figures))).collect();
        Line { name, points, law: false }
    });
    Chart { title, across, scale, up, lines: lines.collect() }
}
