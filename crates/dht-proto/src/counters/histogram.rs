//! How a figure is distributed, in sixteen classes that double.
//! Apart from the counters, which know nothing of classes.

/// How often a figure fell into each class: 0, 1, 2–3, 4–7, and so on up to 16,384 and more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Histogram {
    classes: [u32; 16],
}

impl Histogram {
    pub(crate) fn record(&mut self, figure: u64) {
        let class = usize::try_from(u64::BITS - figure.leading_zeros()).unwrap_or(usize::MAX);
        let last = self.classes.len() - 1;
        if let Some(count) = self.classes.get_mut(class.min(last)) {
            *count = count.saturating_add(1);
        }
    }

    /// The least figure of each class and how often one fell into it.
    pub fn classes(&self) -> impl Iterator<Item = (u64, u32)> {
        let least = |class: usize| if class == 0 { 0 } else { 1_u64 << (class - 1) };
        self.classes.iter().enumerate().map(move |(class, count)| (least(class), *count))
    }

    /// How many figures there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.classes.iter().map(|count| u64::from(*count)).sum()
    }

    /// The least figure of the class in which `share` of all figures is reached (0.5: the median); exact to a
    /// factor of two. `None` before the first.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let total = self.total();
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
        let wanted = share.clamp(0.0, 1.0) * total as f64;
        let mut reached = 0_u64;
        self.classes().find_map(|(least, count)| {
            reached += u64::from(count);
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            let enough = count > 0 && reached as f64 >= wanted;
            enough.then_some(least)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_fall_into_classes_that_double() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for figure in [0, 1, 2, 3, 4, 7, 8, 100, 16_384, u64::MAX] {
            histogram.record(figure);
        }
        let counts: Vec<_> = histogram.classes().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [(0, 1), (1, 1), (2, 2), (4, 2), (8, 1), (64, 1), (16_384, 2)]);
        assert_eq!(histogram.total(), 10);
        assert_eq!(
            [0.0, 0.5, 1.0].map(|share| histogram.quantile(share)),
            [Some(0), Some(4), Some(16_384)]
        );
    }
}
