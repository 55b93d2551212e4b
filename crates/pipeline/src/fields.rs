//! What sources send: their log sources and the names of their fields, from a sample of each batch. It is held in memory and
//! written at most every ten seconds; what a crash takes is seen again.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use serde_json::Value;
use shieldops_model::{Event, Normalised, Timestamp};
use shieldops_store::{
    Tx,
    coverage::{self, SourceFields},
};

use crate::Result;

/// Events of one source that are looked at in one batch.
const SAMPLE: usize = 16;
/// Bounds of what is kept.
const SOURCES: usize = 1_000;
const LOG_SOURCES: usize = 64;
const NAMES: usize = 2_000;
const NAME_CHARS: usize = 256;
/// Sources that are written in one commit; the others have their turn in the next ones.
const TOGETHER: usize = 32;
const EVERY: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(crate) struct Fields {
    new: HashMap<String, SourceFields>,
    written: Option<Instant>,
}

impl Fields {
    pub(crate) fn look(&mut self, events: &[Event], seen: &[Normalised]) {
        let mut looked: HashMap<&str, usize> = HashMap::new();
        for (event, normalised) in events.iter().zip(seen) {
            let count = looked.entry(&event.source).or_default();
            *count = count.saturating_add(1);
            if *count > SAMPLE {
                continue;
            }
            if let Some(held) = self.held(&event.source) {
                add(held, normalised);
            }
        }
    }

    fn held(&mut self, source: &str) -> Option<&mut SourceFields> {
        if self.new.len() >= SOURCES && !self.new.contains_key(source) {
            return None;
        }
        Some(self.new.entry(source.to_owned()).or_default())
    }

    /// Adds what was seen since the last time to what is stored, where that is long enough ago.
    pub(crate) async fn write(&mut self, tx: &mut Tx, now: Timestamp) -> Result<()> {
        if self.new.is_empty() || self.written.is_some_and(|at| at.elapsed() < EVERY) {
            return Ok(());
        }
        let some: Vec<String> = self.new.keys().take(TOGETHER).cloned().collect();
        for source in some {
            let mut stored = coverage::fields_of(tx, &source).await?.unwrap_or_default();
            if let Some(new) = self.new.remove(&source) {
                merge(&mut stored, &new);
            }
            coverage::keep_fields(tx, &source, &stored, now).await?;
        }
        if self.new.is_empty() {
            self.written = Some(Instant::now());
        }
        Ok(())
    }
}

fn add(held: &mut SourceFields, seen: &Normalised) {
    let Ok(object) = serde_json::from_str::<BTreeMap<String, Value>>(&seen.flat) else { return };
    let fields = object.into_keys().filter(|name| name.chars().nth(NAME_CHARS).is_none()).map(|name| (name, 1));
    let one = SourceFields {
        log_sources: [seen.log_source.clone()].into(),
        events: 1,
        fields: fields.collect(),
        more: false,
    };
    merge(held, &one);
}

fn merge(into: &mut SourceFields, new: &SourceFields) {
    into.events = into.events.saturating_add(new.events);
    into.more |= new.more;
    for source in &new.log_sources {
        if into.log_sources.len() < LOG_SOURCES || into.log_sources.contains(source) {
            into.log_sources.insert(source.clone());
        } else {
            into.more = true;
        }
    }
    for (name, count) in &new.fields {
        if let Some(known) = into.fields.get_mut(name) {
            *known = known.saturating_add(*count);
        } else if into.fields.len() < NAMES {
            into.fields.insert(name.clone(), *count);
        } else {
            into.more = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(flat: &str) -> Normalised {
        Normalised { flat: flat.to_owned(), ..Normalised::default() }
    }

    #[test]
    fn fields_are_counted_by_name_within_a_bound() {
        let mut held = SourceFields::default();
        add(&mut held, &seen(r#"{"user":"root","pid":4}"#));
        add(&mut held, &seen(r#"{"user":"ann"}"#));
        add(&mut held, &seen("no object"));
        assert_eq!((held.events, held.fields["user"], held.fields["pid"], held.more), (2, 2, 1, false));
        let wide: Vec<String> = (0..NAMES + 10).map(|number| format!("\"f{number}\":1")).collect();
        add(&mut held, &seen(&format!("{{{}}}", wide.join(","))));
        assert_eq!((held.fields.len(), held.more), (NAMES, true));
        add(&mut held, &seen(&format!("{{\"{}\":1}}", "x".repeat(NAME_CHARS + 1))));
        assert_eq!(held.events, 4);
    }
}
