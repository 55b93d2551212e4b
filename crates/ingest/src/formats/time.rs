//! Times as sources write them: ISO 8601, RFC 3164 without a year, access logs, epochs in seconds to nanoseconds.

use jiff::{
    civil::{Date, DateTime, Time},
    tz::{Offset, TimeZone},
};
use shieldops_model::{TimeQuality, Timestamp};

use super::{Recognised, access, audit, device, flat::json_text, shape::Shape, syslog};
use crate::Limits;

/// The time of an event and whether windows may use it. Without one, the time of receipt stands in.
pub fn event_time(seen: &Recognised, line: &[u8], received: Timestamp, limits: &Limits) -> (Timestamp, TimeQuality) {
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    let shape = if text.starts_with('{') { Shape::read(text).ok() } else { None };
    judge(own_time(seen.format, text, shape.as_ref(), received, limits), received, limits)
}

/// Flags a time that windows must not use.
pub(crate) fn judge(own: Option<Timestamp>, received: Timestamp, limits: &Limits) -> (Timestamp, TimeQuality) {
    let Some(time) = own else { return (received, TimeQuality::Missing) };
    if time > received.plus(limits.future) {
        (time, TimeQuality::Future)
    } else if received.since(time) > limits.retention {
        (time, TimeQuality::Old)
    } else {
        (time, TimeQuality::Good)
    }
}

/// The time an event gives itself. A JSON object's own time goes before that of the line it carries.
pub(crate) fn own_time(
    format: &str,
    text: &str,
    shape: Option<&Shape<'_>>,
    received: Timestamp,
    limits: &Limits,
) -> Option<Timestamp> {
    match shape {
        None => line_time(format, text, received, limits),
        Some(shape) => shape
            .times()
            .find_map(|raw| json_time(raw, &limits.zone))
            .or_else(|| line_time(format, &shape.inner_text()?, received, limits)),
    }
}

fn line_time(format: &str, text: &str, received: Timestamp, limits: &Limits) -> Option<Timestamp> {
    match format {
        super::ACCESS => access::time(text),
        super::AUDIT => audit::time(text),
        _ => {
            let parts = syslog::parse(text);
            let stamp = || parts.stamp.and_then(|stamp| stamp_time(stamp, received, &limits.zone));
            device::time(parts.message, &limits.zone).or_else(stamp)
        }
    }
}

/// The time stamp of a syslog line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp<'a> {
    Iso(&'a str),
    /// `Nov  1 08:00:00`, without a year.
    Short(&'a str),
    /// `Nov  1 2026 08:00:00`.
    WithYear(&'a str),
}

impl<'a> Stamp<'a> {
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Iso(text) | Self::Short(text) | Self::WithYear(text) => text,
        }
    }
}

pub(crate) fn stamp_time(stamp: Stamp<'_>, received: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    match stamp {
        Stamp::Iso(text) => iso(text, zone),
        Stamp::Short(text) => short(text, received, zone),
        Stamp::WithYear(text) => with_year(text, zone),
    }
}

/// A JSON value as a time: ISO text, or an epoch as a number or in text.
pub fn json_time(raw: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = json_text(raw)?;
    parse(&text, zone)
}

/// Any text as a time.
pub fn parse(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    iso(text, zone).or_else(|| epoch(text)).or_else(|| access_time(text)).or_else(|| with_year(text, zone))
}

/// ISO 8601 with `T` or a blank, any fraction, and `Z`, an offset or none. A date alone is its first moment.
pub fn iso(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date.as_bytes() else { return None };
    let date = Date::new(
        i16::try_from(number(&[*y1, *y2, *y3, *y4])?).ok()?,
        i8::try_from(number(&[*m1, *m2])?).ok()?,
        i8::try_from(number(&[*d1, *d2])?).ok()?,
    );
    if rest.is_empty() {
        return at(date.ok()?.to_datetime(Time::midnight()), "", zone);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = clock(rest)?;
    at(date.ok()?.to_datetime(clock), rest.trim_start(), zone)
}

/// `HH:MM[:SS[.fraction]]` and what follows. A leap second counts as the second before it.
fn clock(text: &str) -> Option<(Time, &str)> {
    let (minutes, mut rest) = text.split_at_checked(5)?;
    let [h1, h2, b':', m1, m2] = minutes.as_bytes() else { return None };
    let (mut second, mut nanos) = (0, 0);
    if let Some(after) = rest.strip_prefix(':') {
        let (digits, after) = after.split_at_checked(2)?;
        second = number(digits.as_bytes())?.min(if digits == "60" { 59 } else { 99 });
        (nanos, rest) = fraction(after);
    }
    let time = Time::new(
        i8::try_from(number(&[*h1, *h2])?).ok()?,
        i8::try_from(number(&[*m1, *m2])?).ok()?,
        i8::try_from(second).ok()?,
        nanos,
    );
    Some((time.ok()?, rest))
}

fn fraction(text: &str) -> (i32, &str) {
    let Some(digits) = text.strip_prefix(['.', ',']) else { return (0, text) };
    let end = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = digits.split_at_checked(end).unwrap_or((digits, ""));
    (nanos(digits), rest)
}

/// The digits after a decimal point as nanoseconds.
fn nanos(digits: &str) -> i32 {
    let nine = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    nine.fold(0_i32, |sum, digit| sum.saturating_mul(10).saturating_add(i32::from(digit.saturating_sub(b'0'))))
}

/// A civil time in the zone that its suffix names, else in `zone`.
fn at(civil: DateTime, suffix: &str, zone: &TimeZone) -> Option<Timestamp> {
    let time = match suffix {
        "" => zone.to_ambiguous_timestamp(civil).compatible(),
        "Z" | "z" | "UTC" | "GMT" => Offset::UTC.to_timestamp(civil),
        suffix => offset(suffix)?.to_timestamp(civil),
    };
    // "Never" is often written as the last day of 9999, which in some zones is beyond the last instant that there is.
    let last = || (civil.year() == 9_999).then_some(jiff::Timestamp::MAX);
    time.ok().or_else(last).map(micros)
}

/// `+02:00`, `+0200` or `+02`.
fn offset(text: &str) -> Option<Offset> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1_i32,
        b'-' => -1,
        _ => return None,
    };
    let digits: Vec<u8> = text.bytes().skip(1).filter(|byte| *byte != b':').take(5).collect();
    let (hours, minutes) = match digits.as_slice() {
        [h1, h2] => (number(&[*h1, *h2])?, 0),
        [h1, h2, m1, m2] => (number(&[*h1, *h2])?, number(&[*m1, *m2])?),
        _ => return None,
    };
    let seconds = hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?)?;
    Offset::from_seconds(i32::try_from(seconds).ok()?.checked_mul(sign)?).ok()
}

/// The last second that can be written out and read back: 9999-12-30T21:59:59Z.
const LAST: Timestamp = Timestamp::from_secs(253_402_207_199);

fn micros(time: jiff::Timestamp) -> Timestamp {
    Timestamp::from_micros(time.as_microsecond()).min(LAST)
}

/// Digits alone, up to 18.
fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0_i64, |sum, digit| {
        digit.is_ascii_digit().then(|| sum.saturating_mul(10).saturating_add(i64::from(digit.saturating_sub(b'0'))))
    })
}

/// Seconds (with a fraction), milliseconds, microseconds or nanoseconds since 1970, told apart by size.
pub fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() > 19 || !whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let micros = match whole {
        ..100_000_000 => return None,
        100_000_000..100_000_000_000 => {
            whole.checked_mul(1_000_000)?.checked_add(i64::from(nanos(part).checked_div(1_000)?))?
        }
        100_000_000_000..100_000_000_000_000 => whole.checked_mul(1_000)?,
        100_000_000_000_000..100_000_000_000_000_000 => whole,
        100_000_000_000_000_000.. => whole.checked_div(1_000)?,
    };
    Some(Timestamp::from_micros(micros))
}

/// `Nov  1 08:00:00`: the year that puts it nearest to receipt, but at most a day ahead.
pub fn short(text: &str, received: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let (month, day, rest) = month_day(text)?;
    let (clock, rest) = clock(rest)?;
    let latest = received.plus(std::time::Duration::from_hours(24));
    let year = jiff::Timestamp::from_microsecond(received.as_micros()).ok()?.to_zoned(zone.clone()).year();
    [year.checked_add(1)?, year, year.checked_sub(1)?]
        .into_iter()
        .filter_map(|year| Date::new(year, month, day).ok())
        .filter_map(|date| at(date.to_datetime(clock), rest.trim(), zone))
        .find(|time| *time <= latest)
}

/// `Nov  1 2026 08:00:00`.
pub fn with_year(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let (month, day, rest) = month_day(text)?;
    let (year, rest) = rest.split_once(' ')?;
    if year.len() != 4 {
        return None;
    }
    let (clock, rest) = clock(rest.trim_start())?;
    let date = Date::new(i16::try_from(number(year.as_bytes())?).ok()?, month, day).ok()?;
    at(date.to_datetime(clock), rest.trim(), zone)
}

fn month_day(text: &str) -> Option<(i8, i8, &str)> {
    let (name, rest) = text.split_at_checked(3)?;
    let (day, rest) = rest.strip_prefix(' ')?.trim_start().split_once(' ')?;
    if day.len() > 2 {
        return None;
    }
    Some((month(name)?, i8::try_from(number(day.as_bytes())?).ok()?, rest.trim_start()))
}

fn month(name: &str) -> Option<i8> {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    (1_i8..).zip(NAMES).find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(number, _)| number)
}

/// `10/Oct/2000:13:55:36 -0700`.
pub fn access_time(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once(':')?;
    let mut parts = date.split('/');
    let day = i8::try_from(number(parts.next()?.as_bytes())?).ok()?;
    let month = month(parts.next()?)?;
    let year = i16::try_from(number(parts.next()?.as_bytes())?).ok()?;
    let (clock, rest) = clock(rest)?;
    at(Date::new(year, month, day).ok()?.to_datetime(clock), rest.trim(), &TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(time: Option<Timestamp>) -> String {
        time.map_or_else(|| "none".to_owned(), |time| time.to_string())
    }

    #[test]
    fn every_way_to_write_a_time_is_read() {
        let cases = [
            ("2019-04-27T15:57:25.8688632Z", "2019-04-27T15:57:25.868863Z"),
            ("2019-04-27 15:57:25.868", "2019-04-27T15:57:25.868000Z"),
            ("2026-11-21T12:00:00.123456+02:00", "2026-11-21T10:00:00.123456Z"),
            ("2026-11-21T12:00:00-0730", "2026-11-21T19:30:00.000000Z"),
            ("2026-11-21 12:00:00 UTC", "2026-11-21T12:00:00.000000Z"),
            ("2026-06-30T23:59:60Z", "2026-06-30T23:59:59.000000Z"),
            ("1763726400", "2025-11-21T12:00:00.000000Z"),
            ("1763726400.25", "2025-11-21T12:00:00.250000Z"),
            ("1763726400250", "2025-11-21T12:00:00.250000Z"),
            ("1763726400250001", "2025-11-21T12:00:00.250001Z"),
            ("1763726400250001999", "2025-11-21T12:00:00.250001Z"),
            ("10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36.000000Z"),
            ("Nov  1 2026 08:00:00", "2026-11-01T08:00:00.000000Z"),
            ("2026-11-21", "2026-11-21T00:00:00.000000Z"),
            ("9999-12-31", "9999-12-30T21:59:59.000000Z"),
            ("9999-12-31T23:59:59Z", "9999-12-30T21:59:59.000000Z"),
            ("9999-12-31 23:59:59-08:00", "9999-12-30T21:59:59.000000Z"),
            ("9999-02-30", "none"),
            ("2026-13-01T00:00:00Z", "none"),
            ("2026-11-21T25:00:00Z", "none"),
            ("soon", "none"),
            ("5", "none"),
            ("", "none"),
        ];
        for (text, wanted) in cases {
            assert_eq!(shown(parse(text, &TimeZone::UTC)), wanted, "{text}");
        }
    }

    #[test]
    fn a_stamp_without_a_year_takes_the_nearest_one_that_is_not_ahead() {
        let january: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let november: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let cases = [
            ("Dec 31 23:59:59", january, "2025-12-31T23:59:59.000000Z"),
            ("Jan  2 12:00:00", january, "2026-01-02T12:00:00.000000Z"),
            ("Nov 21 11:59:00", november, "2026-11-21T11:59:00.000000Z"),
            ("Nov 23 11:59:00", november, "2025-11-23T11:59:00.000000Z"),
            ("Feb 29 11:59:00", november, "none"),
        ];
        for (text, received, wanted) in cases {
            assert_eq!(shown(short(text, received, &TimeZone::UTC)), wanted, "{text}");
        }
    }

    #[test]
    fn a_time_too_far_ahead_or_too_old_is_flagged() {
        let limits = Limits::default();
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let quality = |text: &str| judge(parse(text, &TimeZone::UTC), now, &limits).1;
        assert_eq!(quality("2026-11-21T12:09:00Z"), TimeQuality::Good);
        assert_eq!(quality("2026-11-21T12:11:00Z"), TimeQuality::Future);
        assert_eq!(quality("2026-11-13T12:11:00Z"), TimeQuality::Old);
        assert_eq!(quality("0001-01-01T00:00:00Z"), TimeQuality::Old);
        for never in ["9999-12-31", "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59"] {
            assert_eq!(quality(never), TimeQuality::Future, "{never}");
        }
        assert_eq!(judge(None, now, &limits), (now, TimeQuality::Missing));
    }
}
