//! Places in one input: read, and changed in a copy.

use std::fmt;

use serde_json::Value;

use crate::tree::{Part, Path};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Field(String),
    Member(usize),
}

/// One place in one input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place(Vec<Step>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if at == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Member(place) => write!(f, "[{place}]")?,
            }
        }
        Ok(())
    }
}

impl Place {
    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    pub(super) fn member(&self, place: usize) -> Self {
        self.then(Step::Member(place))
    }

    pub(super) fn get<'a>(&self, input: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(input, |at, step| match step {
            Step::Field(name) => at.get(name),
            Step::Member(place) => at.get(place),
        })
    }

    /// Puts a value there; `None` takes the member of a list away.
    pub(super) fn put(&self, input: &mut Value, value: Option<&Value>) {
        let Some((last, before)) = self.0.split_last() else { return };
        let mut at = input;
        for step in before {
            let next = match step {
                Step::Field(name) => at.get_mut(name),
                Step::Member(place) => at.get_mut(place),
            };
            let Some(next) = next else { return };
            at = next;
        }
        match (last, value, at) {
            (Step::Field(name), Some(value), Value::Object(map)) => {
                map.insert(name.clone(), value.clone());
            }
            (Step::Member(place), Some(value), Value::Array(items)) => {
                if let Some(item) = items.get_mut(*place) {
                    item.clone_from(value);
                }
            }
            (Step::Member(place), None, Value::Array(items)) if *place < items.len() => {
                items.remove(*place);
            }
            _ => {}
        }
    }
}

/// The places of `input` that a path means.
pub(super) fn expand(path: &Path, input: &Value) -> Vec<Place> {
    let mut places = vec![Place::default()];
    for part in &path.0 {
        places = places.iter().flat_map(|place| onward(place, part, input)).collect();
    }
    places
}

fn onward(place: &Place, part: &Part, input: &Value) -> Vec<Place> {
    match (part, place.get(input)) {
        (Part::Field(name), Some(Value::Object(map))) if map.contains_key(name) => {
            vec![place.then(Step::Field(name.clone()))]
        }
        (Part::Each, Some(Value::Object(map))) => map.keys().map(|key| place.then(Step::Field(key.clone()))).collect(),
        (Part::Each, Some(Value::Array(items))) => (0..items.len()).map(|member| place.member(member)).collect(),
        _ => Vec::new(),
    }
}
