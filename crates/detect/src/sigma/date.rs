//! Parts of a time in a field, for the `minute` to `year` modifiers.
//!
//! The parts are those that are written: an offset is neither added nor taken off. A number is a Unix time, in UTC.
//! `week` is the ISO week.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Part {
    /// The numbers that it can be.
    pub(crate) const fn range(self) -> (u32, u32) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Week => (1, 53),
            Self::Month => (1, 12),
            Self::Year => (0, 9_999),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Minute => "a minute",
            Self::Hour => "an hour",
            Self::Day => "a day",
            Self::Week => "a week",
            Self::Month => "a month",
            Self::Year => "a year",
        }
    }

    /// The part of the time that the text is, if it is one.
    pub(crate) fn of(self, text: &str) -> Option<u32> {
        let time = parse(text.trim())?;
        let part = match self {
            Self::Minute => i32::from(time.minute()),
            Self::Hour => i32::from(time.hour()),
            Self::Day => i32::from(time.day()),
            Self::Week => i32::from(time.date().iso_week_date().week()),
            Self::Month => i32::from(time.month()),
            Self::Year => i32::from(time.year()),
        };
        u32::try_from(part).ok()
    }
}

fn parse(text: &str) -> Option<DateTime> {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return parse_unix(text);
    }
    // jiff leaves an offset aside, but refuses a zone without a number.
    text.strip_suffix(['Z', 'z']).unwrap_or(text).trim_end().parse().ok()
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
fn parse_unix(text: &str) -> Option<DateTime> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let number: i64 = whole.parse().ok()?;
    let time = match whole.len() {
        0..=11 => Timestamp::from_second(number),
        12..=14 => Timestamp::from_millisecond(number),
        15..=17 => Timestamp::from_microsecond(number),
        _ => Timestamp::from_nanosecond(i128::from(number)),
    };
    time.ok().map(|time| TimeZone::UTC.to_datetime(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_that_are_written() {
        let table = [
            (Part::Minute, "2025-10-25T13:44:33.4409073Z", Some(44)),
            (Part::Hour, "2025-10-25 13:44:33.433", Some(13)),
            (Part::Hour, "2025-10-25T13:44:33+02:00", Some(13)),
            (Part::Day, "2025-10-25T23:30:00-02:00", Some(25)),
            (Part::Day, "2025-10-25", Some(25)),
            (Part::Minute, "2016-12-31T23:59:60Z", Some(59)),
            (Part::Hour, "2016-12-31 23:59:60", Some(23)),
            (Part::Week, "2021-01-01T00:00:00Z", Some(53)),
            (Part::Week, "2025-12-29T00:00:00Z", Some(1)),
            (Part::Month, "1761399873", Some(10)),
            (Part::Month, "1761399873.25", Some(10)),
            (Part::Year, "1761399873123", Some(2025)),
            (Part::Year, "1761399873123456", Some(2025)),
            (Part::Year, "1761399873123456789", Some(2025)),
            (Part::Year, "99999999999999999999", None),
            (Part::Year, ".", None),
            (Part::Year, "-", None),
            (Part::Year, "", None),
        ];
        for (part, text, expected) in table {
            assert_eq!(part.of(text), expected, "{part:?} of {text}");
        }
    }
}
