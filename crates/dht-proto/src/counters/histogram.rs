//! How a figure is distributed, in sixteen classes.
//! Apart from the counters, which know nothing of classes.

/// How often a figure fell into each class: 0, 1, 2–3, 4–7, and so on up to 16,384 and more; with `EXACT`, for small
/// figures, 0, 1, 2, 3 up to 15 and more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Histogram<const EXACT: bool = false> {
    classes: [u32; 16],
}

impl<const EXACT: bool> Histogram<EXACT> {
    pub(crate) fn record(&mut self, figure: u64) {
        let class = if EXACT { figure } else { u64::from(u64::BITS - figure.leading_zeros()) };
        let class = usize::try_from(class).unwrap_or(usize::MAX);
        let last = self.classes.len() - 1;
        if let Some(count) = self.classes.get_mut(class.min(last)) {
            *count = count.saturating_add(1);
        }
    }

    /// The least figure of each class and how often one fell into it.
    pub fn classes(&self) -> impl Iterator<Item = (u64, u32)> {
        let least = |class: usize| match class {
            0 => 0,
            exact if EXACT => exact as u64,
            doubled => 1 << (doubled - 1),
        };
        self.classes.iter().enumerate().map(move |(class, count)| (least(class), *count))
    }

    /// What was recorded after `earlier` was taken.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut classes = self.classes;
        for (class, before) in classes.iter_mut().zip(earlier.classes) {
            *class = class.saturating_sub(before);
        }
        Self { classes }
    }

    /// How many figures there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.classes.iter().map(|count| u64::from(*count)).sum()
    }

    /// The least figure of the class in which `share` of all figures is reached (0.5: the median); unless `EXACT`,
    /// good to a factor of two. `None` before the first.
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
        let mut histogram = Histogram::<false>::default();
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

    #[test]
    fn small_figures_have_a_class_each_where_that_is_wanted() {
        let mut histogram = Histogram::<true>::default();
        for figure in [0, 3, 4, 5, 5, 14, 15, 900] {
            histogram.record(figure);
        }
        let counts: Vec<_> = histogram.classes().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [(0, 1), (3, 1), (4, 1), (5, 2), (14, 1), (15, 2)]);
        assert_eq!([0.5, 1.0].map(|share| histogram.quantile(share)), [Some(5), Some(15)]);
    }

    #[test]
    fn what_came_later_can_be_told_from_what_was_before() {
        let mut histogram = Histogram::<false>::default();
        histogram.record(1);
        let earlier = histogram;
        histogram.record(1);
        histogram.record(100);
        let later = histogram.since(&earlier);
        let counts: Vec<_> = later.classes().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [(1, 1), (64, 1)]);
    }
}
