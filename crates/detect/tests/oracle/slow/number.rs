//! Decimal numbers as aligned rows of digits.

use std::cmp::Ordering;

/// A number written out: no exponent, any length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    whole: String,
    fraction: String,
}

const MAX_EXPONENT: i32 = 400;

/// `[+-]digits[.digits][e[+-]digits]` with blanks around it.
pub(crate) fn parse(text: &str) -> Option<Number> {
    let text = text.trim();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, power)) => (digits, exponent(power)?),
        None => (text, 0),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (digits, ""),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let (mut whole, mut fraction) = (whole.to_owned(), fraction.to_owned());
    for _ in 0..exponent.max(0) {
        whole.push(if fraction.is_empty() { '0' } else { fraction.remove(0) });
    }
    for _ in exponent.min(0)..0 {
        fraction.insert(0, whole.pop().unwrap_or('0'));
    }
    let whole = whole.trim_start_matches('0').to_owned();
    let fraction = fraction.trim_end_matches('0').to_owned();
    let negative = negative && !(whole.is_empty() && fraction.is_empty());
    Some(Number { negative, whole, fraction })
}

fn exponent(text: &str) -> Option<i32> {
    let number: i32 = text.parse().ok()?;
    (number.abs() <= MAX_EXPONENT).then_some(number)
}

pub(crate) fn compare(one: &Number, other: &Number) -> Ordering {
    match (one.negative, other.negative) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => size(one, other),
        (true, true) => size(other, one),
    }
}

fn size(one: &Number, other: &Number) -> Ordering {
    let wholes = one.whole.len().cmp(&other.whole.len()).then_with(|| one.whole.cmp(&other.whole));
    let length = one.fraction.len().max(other.fraction.len());
    let padded = |fraction: &str| format!("{fraction:0<length$}");
    wholes.then_with(|| padded(&one.fraction).cmp(&padded(&other.fraction)))
}

#[test]
fn numbers_are_compared_by_value() {
    for (one, other, order) in [
        ("1", "1.0", Ordering::Equal),
        ("1e3", "1000", Ordering::Equal),
        ("-0", "0", Ordering::Equal),
        ("15e-1", "1.5", Ordering::Equal),
        ("9007199254740993", "9007199254740992", Ordering::Greater),
        ("-2", "-1", Ordering::Less),
        ("0.5", "0.45", Ordering::Greater),
        ("10", "9", Ordering::Greater),
    ] {
        assert_eq!(compare(&parse(one).unwrap(), &parse(other).unwrap()), order, "{one} {other}");
    }
    for text in ["", "0x1", "1.", ".5", "1_0", "--1", "nan", "1e"] {
        assert_eq!(parse(text), None, "{text}");
    }
}
