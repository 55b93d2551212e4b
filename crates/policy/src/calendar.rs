//! When changes are frozen: dates, or hours of the week in a time zone. Pure; the zones are built in, so that every
//! server gives the same answer.

use jiff::{
    ToSpan as _,
    civil::{Time, Weekday},
    tz::{TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Serialize};
use shieldops_model::{Environment, Timestamp};
use utoipa::ToSchema;

use crate::{GateSettings, settings::check::Found};

/// A time in which nothing of purpose `change` runs in these environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    pub name: String,
    /// Empty: all.
    #[serde(default)]
    pub environments: Vec<Environment>,
    pub when: FreezeWhen,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FreezeWhen {
    /// Once, from the first moment to just before the second.
    Dates { from: Timestamp, to: Timestamp },
    /// On these days from one time to just before another. An end that is not after the beginning is the next day's.
    Weekly {
        days: Vec<Day>,
        /// `HH:MM`.
        from: String,
        /// `HH:MM`.
        to: String,
        /// IANA, for example `Europe/Berlin`.
        zone: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FreezeDay)]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A freeze that holds now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActiveFreeze {
    pub name: String,
    /// Never empty.
    pub environments: Vec<Environment>,
    pub reason: String,
    /// When it ends, if nothing else is set meanwhile.
    pub until: Timestamp,
}

const EVERYWHERE: [Environment; 3] = [Environment::Development, Environment::Staging, Environment::Production];

/// The freezes that hold at `now`, in the order of the settings; the weekend's last.
///
/// A freeze whose zone or time cannot be read holds always: what was to be frozen is not let through by a mistake.
pub fn active_freezes(settings: &GateSettings, now: Timestamp) -> Vec<ActiveFreeze> {
    let mut active: Vec<ActiveFreeze> = settings.freezes.iter().filter_map(|freeze| holds(freeze, now)).collect();
    if settings.weekends_frozen {
        let zone = if settings.weekend_zone.is_empty() { "UTC" } else { &settings.weekend_zone };
        let weekend = Freeze {
            name: "weekend".to_owned(),
            environments: Vec::new(),
            when: FreezeWhen::Weekly {
                days: vec![Day::Saturday, Day::Sunday],
                from: "00:00".to_owned(),
                to: "00:00".to_owned(),
                zone: zone.to_owned(),
            },
            reason: "weekends are frozen".to_owned(),
        };
        active.extend(holds(&weekend, now));
    }
    active
}

fn holds(freeze: &Freeze, now: Timestamp) -> Option<ActiveFreeze> {
    let until = match &freeze.when {
        FreezeWhen::Dates { from, to } => (*from <= now && now < *to).then_some(*to)?,
        FreezeWhen::Weekly { days, from, to, zone } => match weekly(days, from, to, zone, now) {
            Ok(until) => until?,
            Err(Unreadable) => Timestamp::from_micros(jiff::Timestamp::MAX.as_microsecond()),
        },
    };
    let environments = if freeze.environments.is_empty() { EVERYWHERE.to_vec() } else { freeze.environments.clone() };
    Some(ActiveFreeze { name: freeze.name.clone(), environments, reason: freeze.reason.clone(), until })
}

/// A zone, a time of day or a date that means nothing.
struct Unreadable;

impl From<jiff::Error> for Unreadable {
    fn from(_: jiff::Error) -> Self {
        Self
    }
}

/// When the window that holds `now` ends; `None` when none does, an error when it cannot be told.
fn weekly(days: &[Day], from: &str, to: &str, name: &str, now: Timestamp) -> Result<Option<Timestamp>, Unreadable> {
    let zone = zone(name).ok_or(Unreadable)?;
    let (from, to) = (time(from).ok_or(Unreadable)?, time(to).ok_or(Unreadable)?);
    let now = jiff::Timestamp::from_microsecond(now.as_micros())?;
    let local = zone.to_datetime(now);
    let yesterday = local.date().yesterday()?;
    let wanted = |day: Weekday| days.iter().any(|wanted| wanted.weekday() == day);
    for begun in [local.date(), yesterday] {
        let ends_on = if to > from { begun } else { begun.checked_add(1.day())? };
        let (begin, end) = (begun.to_datetime(from), ends_on.to_datetime(to));
        if wanted(begun.weekday()) && begin <= local && local < end {
            let end = zone.to_timestamp(end)?;
            return Ok(Some(Timestamp::from_micros(end.as_microsecond())));
        }
    }
    Ok(None)
}

impl Day {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Monday => Weekday::Monday,
            Self::Tuesday => Weekday::Tuesday,
            Self::Wednesday => Weekday::Wednesday,
            Self::Thursday => Weekday::Thursday,
            Self::Friday => Weekday::Friday,
            Self::Saturday => Weekday::Saturday,
            Self::Sunday => Weekday::Sunday,
        }
    }
}

/// A zone of the built-in IANA database.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// `HH:MM`.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits =
        |part: &str| (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok());
    Time::new(digits(hour)??, digits(minute)??, 0, 0).ok()
}

pub(crate) fn check(freeze: &Freeze, path: &str, found: &mut Found) {
    found.text(format!("{path}.name"), &freeze.name);
    found.text(format!("{path}.reason"), &freeze.reason);
    match &freeze.when {
        FreezeWhen::Dates { from, to } => {
            if to <= from {
                found.refuse(format!("{path}.when.to"), "must be after `from`");
            }
        }
        FreezeWhen::Weekly { days, from, to, zone: name } => {
            if days.is_empty() {
                found.refuse(format!("{path}.when.days"), "must name a day");
            }
            for (field, text) in [("from", from), ("to", to)] {
                if time(text).is_none() {
                    found.refuse(format!("{path}.when.{field}"), "must be a time as HH:MM, 00:00 to 23:59");
                }
            }
            if zone(name).is_none() {
                found.refuse(format!("{path}.when.zone"), "is no IANA time zone, for example Europe/Berlin");
            }
        }
    }
}

#[cfg(test)]
mod tests;
