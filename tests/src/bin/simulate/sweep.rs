//! Which networks are measured: four sweeps, one of each thing that makes a lookup hard.
//!
//! Separate from the page, so that the list of rows can be read at a glance.

use std::time::Duration;

use mainstay_tests::internet::{Figures, Series, Terrain};

/// What changes from row to row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    Nodes,
    Dead,
    Loss,
    Sybils,
}

/// One network.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) sweep: Sweep,
    /// What changed, as a number for a plot and as words for a table.
    pub(crate) at: f64,
    pub(crate) label: String,
    pub(crate) series: Series,
}

/// The share of dead contacts and of lost packets where neither is swept.
const DEAD: f64 = 0.3;
const LOSS: f64 = 0.01;

/// Every row, in the order of the page.
pub(crate) fn rows(quick: bool, trials: usize, seed: u64) -> Vec<Row> {
    let (sizes, size): (&[usize], usize) = if quick {
        (&[1000, 10_000], 10_000)
    } else {
        (&[1000, 10_000, 100_000, 1_000_000, 10_000_000], 1_000_000)
    };
    let [dead, loss, sybils]: [&[f64]; 3] = if quick {
        [&[0.0, 0.5], &[0.1], &[0.2]]
    } else {
        [
            &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
            &[0.0, 0.02, 0.05, 0.1, 0.15, 0.2],
            &[0.0, 0.05, 0.1, 0.15, 0.2],
        ]
    };
    let terrain = Terrain { seed, nodes: size, dead: DEAD, ..Terrain::default() };
    let row = |sweep, at: f64, terrain, loss| {
        let settling = Duration::from_secs(1800);
        let series = Series { terrain, loss, trials, settling, floors: false };
        Row { sweep, at, label: format!("{:.0} %", at * 100.0), series }
    };
    let nodes = sizes.iter().map(|nodes| Row::of_nodes(*nodes, trials, seed));
    let dead =
        dead.iter().map(|dead| row(Sweep::Dead, *dead, Terrain { dead: *dead, ..terrain }, LOSS));
    let loss = loss.iter().map(|loss| row(Sweep::Loss, *loss, terrain, *loss));
    let sybils = sybils
        .iter()
        .map(|sybils| row(Sweep::Sybils, *sybils, Terrain { sybils: *sybils, ..terrain }, LOSS));
    nodes.chain(dead).chain(loss).chain(sybils).collect()
}

impl Sweep {
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Nodes => "nodes (30 % of contacts dead, 1 % of packets lost)",
            Self::Dead => "dead contacts (1 % of packets lost)",
            Self::Loss => "packets lost each way (30 % of contacts dead)",
            Self::Sybils => "sybils (30 % of contacts dead, 1 % of packets lost)",
        }
    }

    /// The name of its table in the page.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Dead => "dead",
            Self::Loss => "loss",
            Self::Sybils => "sybils",
        }
    }
}

impl Row {
    #[expect(clippy::cast_precision_loss, reason = "at most thirty million")]
    pub(crate) fn of_nodes(nodes: usize, trials: usize, seed: u64) -> Self {
        let terrain = Terrain { seed, nodes, dead: DEAD, ..Terrain::default() };
        let settling = Duration::from_secs(1800);
        let series = Series { terrain, loss: LOSS, trials, settling, floors: true };
        Self { sweep: Sweep::Nodes, at: nodes as f64, label: thousands(nodes), series }
    }

    /// The same with so many sybils in a hundred nodes.
    pub(crate) fn among(mut self, percent: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "at most a hundred")]
        let share = percent as f64 / 100.0;
        self.series.terrain.sybils = share;
        self
    }

    /// What falls below the floor that no change may break. Far below what is measured: a floor says that
    /// something is broken, the tables say how good it is.
    pub(crate) fn complaints(&self, figures: &Figures) -> Vec<String> {
        let floor = if self.sweep == Sweep::Sybils { 0.95 } else { 0.97 };
        let shares = [
            ("found", figures.found, floor),
            ("stored", figures.stored, floor),
            ("recall", figures.recall, 0.95),
        ];
        let low = shares.iter().filter(|(_, share, floor)| share < floor);
        low.map(|(what, share, floor)| {
            format!("{} {}: {what} {share:.3}, below {floor}", self.sweep.name(), self.label)
        })
        .collect()
    }
}

/// A number with its thousands apart.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(10_000_000), "10,000,000");
    }

    #[test]
    fn each_row_sweeps_one_thing() {
        for row in rows(false, 1, 1) {
            let series = row.series;
            assert!(row.sweep == Sweep::Dead || series.terrain.dead == DEAD, "{row:?}");
            assert!(row.sweep == Sweep::Loss || series.loss == LOSS, "{row:?}");
            assert!(row.sweep == Sweep::Sybils || series.terrain.sybils == 0.0, "{row:?}");
        }
    }
}
