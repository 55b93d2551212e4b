//! Numbers of events and limits: exact decimals with nine places, so that sums do not depend on the order of adding.

/// One, in billionths.
pub(super) const ONE: i128 = 1_000_000_000;
/// Larger numbers are none, so that ten thousand of them can be added up and multiplied by their number.
const MAX: i128 = 1_000_000_000_000_000_000 * ONE;
const PLACES: usize = 9;

/// The number that a text is, in billionths; further places are cut off.
pub(super) fn parse(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned.len() > 64 {
        return None;
    }
    if unsigned.contains(['e', 'E']) {
        return float(text);
    }
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || unsigned.ends_with('.') {
        return None;
    }
    let places: String = fraction.chars().chain(std::iter::repeat('0')).take(PLACES).collect();
    let amount = whole.parse::<i128>().ok()?.checked_mul(ONE)?.checked_add(places.parse::<i128>().ok()?)?;
    let amount = if negative { amount.checked_neg()? } else { amount };
    (amount.abs() <= MAX).then_some(amount)
}

/// Numbers with an exponent go through floating point: nobody counts bytes or amounts in them.
fn float(text: &str) -> Option<i128> {
    let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite() && number.abs() <= 1e18)?;
    parse(&format!("{number:.9}"))
}

/// A whole number.
pub(super) fn of_count(count: usize) -> i128 {
    i128::try_from(count).unwrap_or(i128::MAX).saturating_mul(ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_and_everything_else_is_none() {
        for (text, billionths) in [
            ("0", Some(0)),
            ("42", Some(42 * ONE)),
            ("-1.5", Some(-1_500_000_000)),
            (" +0.1 ", Some(100_000_000)),
            ("9007199254740993", Some(9_007_199_254_740_993 * ONE)),
            ("0.1234567899", Some(123_456_789)),
            ("1e3", Some(1_000 * ONE)),
            ("1.5E-2", Some(15_000_000)),
            ("1e30", None),
            ("1000000000000000001", None),
            ("", None),
            ("-", None),
            (".5", None),
            ("5.", None),
            ("1,5", None),
            ("0x10", None),
            ("nan", None),
            ("inf", None),
        ] {
            assert_eq!(parse(text), billionths, "{text}");
        }
        assert_eq!(of_count(3), 3 * ONE);
    }
}
