//! Medians, and ratios that are taken round by round.

/// The median; of an even number the mean of the two in the middle. None of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    match values.len() % 2 {
        0 => Some(f64::midpoint(*values.get(middle - 1)?, upper)),
        _ => Some(upper),
    }
}

/// The median of the ratios of each round, so that what slows a whole round down does not count.
pub fn ratio(values: &[f64], reference: &[f64]) -> Option<f64> {
    let pairs = values.iter().zip(reference).filter(|(_, reference)| **reference > 0.0);
    median(pairs.map(|(value, reference)| value / reference))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, expected) in [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[9.0, 1.0], Some(5.0)),
            (&[9.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0, 3.0, 2.0], Some(2.5)),
        ] {
            assert_eq!(median(values.iter().copied()), expected, "{values:?}");
        }
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        // The machine was slow in the second round.
        assert_eq!(ratio(&[80.0, 8.0, 90.0], &[100.0, 10.0, 100.0]), Some(0.8));
        assert_eq!(ratio(&[1.0], &[0.0]), None);
    }
}
