//! Medians and percentiles.

use std::time::Duration;

use serde_json::{Value, json};

/// The value below which `percent` of all lie (nearest rank); 0 of none.
pub(super) fn percentile(values: &[f64], percent: u32) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * usize::try_from(percent).unwrap_or(100)).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or(0.0)
}

pub(super) fn milliseconds(took: Duration) -> f64 {
    round(took.as_secs_f64() * 1_000.0)
}

/// To two places.
pub(super) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Median, 99th percentile and extremes of times in milliseconds.
pub(super) fn summary(times_ms: &[f64]) -> Value {
    json!({
        "rounds": times_ms.len(),
        "p50_ms": percentile(times_ms, 50),
        "p99_ms": percentile(times_ms, 99),
        "max_ms": percentile(times_ms, 100),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 50).to_string(), "100");
        assert_eq!(percentile(&values, 99).to_string(), "198");
        assert_eq!(percentile(&values, 100).to_string(), "200");
        assert_eq!(percentile(&[7.0], 99).to_string(), "7");
        assert_eq!(percentile(&[], 50).to_string(), "0");
    }
}
