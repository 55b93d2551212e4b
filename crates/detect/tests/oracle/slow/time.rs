//! Parts of a time as it is written: no zone is converted, weeks are ISO weeks.

/// Year, month, day, hour, minute of `2025-10-25T13:44:33`, whatever follows the minute.
fn read(text: &str) -> Option<[i64; 5]> {
    let bytes = text.trim().as_bytes();
    let shape = b"0000-00-00T00:00";
    let fits = bytes.len() >= shape.len()
        && shape.iter().zip(bytes).all(|(shape, byte)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't' | b' '),
            other => byte == other,
        });
    let number = |from: usize, to: usize| bytes[from..to].iter().fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'));
    if !fits {
        return None;
    }
    let [year, month, day, hour, minute] = [number(0, 4), number(5, 7), number(8, 10), number(11, 13), number(14, 16)];
    let exists = (1..=12).contains(&month) && (1..=month_days(year, month)).contains(&day) && hour < 24 && minute < 60;
    exists.then_some([year, month, day, hour, minute])
}

/// The part of that name.
pub(crate) fn part(name: &str, text: &str) -> Option<i64> {
    let [year, month, day, hour, minute] = read(text)?;
    match name {
        "minute" => Some(minute),
        "hour" => Some(hour),
        "day" => Some(day),
        "month" => Some(month),
        "year" => Some(year),
        "week" => Some(week(year, month, day)),
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn day_of_year(year: i64, month: i64, day: i64) -> i64 {
    (1..month).map(|month| month_days(year, month)).sum::<i64>() + day
}

/// Monday is 1. Counted from 1 January of year 1, which was one.
fn weekday(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    (before * 365 + before / 4 - before / 100 + before / 400 + day_of_year(year, month, day) - 1) % 7 + 1
}

fn weeks_in(year: i64) -> i64 {
    let first = weekday(year, 1, 1);
    if first == 4 || (first == 3 && is_leap(year)) { 53 } else { 52 }
}

fn week(year: i64, month: i64, day: i64) -> i64 {
    let week = (day_of_year(year, month, day) - weekday(year, month, day) + 10) / 7;
    match week {
        0 => weeks_in(year - 1),
        week if week > weeks_in(year) => 1,
        week => week,
    }
}

#[test]
fn weeks_are_those_of_the_iso_calendar() {
    for (date, wanted) in
        [("2021-01-01", 53), ("2025-12-29", 1), ("2026-01-01", 1), ("2016-01-03", 53), ("2024-02-29", 9)]
    {
        assert_eq!(part("week", &format!("{date}T00:00:00Z")), Some(wanted), "{date}");
    }
    assert_eq!(part("hour", "2025-10-25T13:44:33+02:00"), Some(13));
}
