//! Decimal numbers of any size, compared exactly: no floating point, so 2^53 + 1 stays itself.

use std::cmp::Ordering;

/// `0.digits × 10^exponent`, digits without zeros at either end; zero has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

/// Longer texts are not numbers here.
const MAX_CHARS: usize = 400;

impl Decimal {
    /// `[+-]digits[.digits][e[+-]digits]`, blanks around it ignored.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_CHARS {
            return None;
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || mantissa.ends_with('.') {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let leading = i64::try_from(all.len().saturating_sub(significant.len())).ok()?;
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let exponent = i64::try_from(whole.len()).ok()?.checked_sub(leading)?.checked_add(exponent)?;
        Some(Self { negative, digits, exponent })
    }

    /// A whole number that is not negative.
    pub(crate) fn from_number(number: u32) -> Self {
        Self::parse(&number.to_string()).unwrap_or(Self { negative: false, digits: String::new(), exponent: 0 })
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.strip_prefix('+').unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_equal_by_value_and_never_rounded() {
        for (one, other) in [("1", "1.0"), ("1", "0001"), ("1e3", "1000"), ("-0", "0"), ("0.10", ".1e0x"), (" 5 ", "5")]
        {
            if let Some(other) = Decimal::parse(other) {
                assert_eq!(number(one), other, "{one}");
            }
        }
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
        assert_ne!(number("18446744073709551617"), number("18446744073709551616"));
        assert!(number("9007199254740993") > number("9007199254740992"));
        assert!(number("-2") < number("-1") && number("-1") < number("0") && number("0") < number("0.001"));
        assert!(number("40") > number("4") && number("100") > number("99"));
        for text in ["", "0x3e7", "1_000", "nan", ".inf", "1.", ".5", "1e", "1e99999999999", "--1", "4 0"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whole_numbers_order_as_integers_do(a: i64, b: i64) {
            proptest::prop_assert_eq!(number(&a.to_string()).cmp(&number(&b.to_string())), a.cmp(&b));
        }
    }
}
