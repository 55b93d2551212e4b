//! Parts of a time in a field, for the `minute` to `year` modifiers.
//!
//! A time with an offset is turned to UTC first; one without is taken as it is written. `week` is the ISO week.

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
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(TimeZone::UTC.to_datetime(time));
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return Some(time);
    }
    let number: i64 = text.split_once('.').map_or(text, |(whole, _)| whole).parse().ok()?;
    let time = match text.len() {
        0..=11 => Timestamp::from_second(number),
        12..=14 => Timestamp::from_millisecond(number),
        _ => Timestamp::from_microsecond(number),
    };
    time.ok().map(|time| TimeZone::UTC.to_datetime(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_of_the_time_in_utc() {
        let table = [
            (Part::Minute, "2025-10-25T13:44:33.4409073Z", Some(44)),
            (Part::Hour, "2025-10-25 13:44:33.433", Some(13)),
            (Part::Hour, "2025-10-25T13:44:33+02:00", Some(11)),
            (Part::Day, "2025-10-25T23:30:00-02:00", Some(26)),
            (Part::Minute, "2016-12-31T23:59:60Z", Some(59)),
            (Part::Hour, "2016-12-31 23:59:60", Some(23)),
            (Part::Week, "2021-01-01T00:00:00Z", Some(53)),
            (Part::Week, "2025-12-29T00:00:00Z", Some(1)),
            (Part::Month, "1761399873", Some(10)),
            (Part::Year, "1761399873123", Some(2025)),
            (Part::Year, "-", None),
            (Part::Year, "", None),
        ];
        for (part, text, expected) in table {
            assert_eq!(part.of(text), expected, "{part:?} of {text}");
        }
    }
}
