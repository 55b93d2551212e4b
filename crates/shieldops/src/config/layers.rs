//! File, environment and flags laid over each other, key by key. Each key is read on its own, so that one wrong key hides
//! no other.

use std::path::Path;

use toml::{Table, Value};

use super::{Problem, Raw, reference};

/// Variables that are ours and no setting.
const OTHER_VARIABLES: [&str; 6] = [
    "SHIELDOPS_SHARED",
    "SHIELDOPS_TOKEN",
    "SHIELDOPS_SERVER",
    "SHIELDOPS_PROFILE",
    "SHIELDOPS_TENANT",
    "SHIELDOPS_CRASH_AT",
];
/// A larger configuration file is a mistake.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Layers {
    keys: Table,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Layers {
    pub(super) fn file(&mut self, path: &Path) {
        let fail = |what: String, fix: &str| Problem {
            key: "--config".to_owned(),
            value: path.display().to_string(),
            what,
            fix: fix.to_owned(),
        };
        let text = match read(path) {
            Ok(text) => text,
            Err(what) => {
                self.problems.push(fail(what, "name a TOML file that this user can read"));
                return;
            }
        };
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                self.problems.push(fail(format!("not TOML: {error}").trim_end().to_owned(), "correct the line"));
                return;
            }
        };
        let mut found = Vec::new();
        leaves(&table, "", &mut found);
        for (key, value) in found {
            self.take(&key, value, &key);
        }
    }

    pub(super) fn environment<'a>(&mut self, variables: impl Iterator<Item = &'a (String, String)>) {
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix("SHIELDOPS_") else { continue };
            if OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let key = rest.to_lowercase().replace("__", ".");
            if !reference::is_key(&key) {
                self.warnings.push(format!("{name} is not a setting and is ignored (two underscores nest: SHIELDOPS_BUS__MAX_BYTES sets bus.max_bytes)"));
                continue;
            }
            let value = readings(text).into_iter().find(|value| single(&key, value.clone()).is_ok());
            self.take(&key, value.unwrap_or_else(|| Value::String(text.clone())), &format!("{key} (from {name})"));
        }
    }

    pub(super) fn flag(&mut self, key: &str, value: Option<String>) {
        if let Some(value) = value {
            self.take(key, Value::String(value), key);
        }
    }

    /// A flag whose values are separated by commas.
    pub(super) fn list_flag(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            let items = value.split(',').map(|item| Value::String(item.trim().to_owned()));
            self.take(key, Value::Array(items.collect()), &format!("--{key}"));
        }
    }

    fn take(&mut self, key: &str, value: Value, shown: &str) {
        match single(key, value.clone()) {
            Ok(()) => insert(&mut self.keys, key, value),
            Err(what) => {
                let fix = if reference::is_key(key) {
                    format!("want {}", reference::type_of(key))
                } else {
                    reference::nearest(key)
                        .map_or_else(|| "remove it".to_owned(), |near| format!("remove it, or write `{near}`"))
                };
                self.problems.push(Problem { key: shown.to_owned(), value: value.to_string(), what, fix });
            }
        }
    }

    pub(super) fn read(self) -> (Raw, Vec<Problem>, Vec<String>) {
        let Self { keys, mut problems, warnings } = self;
        let raw = Value::Table(keys).try_into().unwrap_or_else(|error: toml::de::Error| {
            let (key, value) = ("configuration".to_owned(), String::new());
            problems.push(Problem { key, value, what: error.message().to_owned(), fix: "correct it".to_owned() });
            Raw::default()
        });
        (raw, problems, warnings)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.len() > MAX_FILE_BYTES {
        return Err(format!("{} bytes are over the limit of {MAX_FILE_BYTES}", metadata.len()));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// What the text of a variable may mean, in the order in which it is tried.
fn readings(text: &str) -> Vec<Value> {
    let mut readings = vec![Value::String(text.to_owned())];
    let parsed = format!("value = {text}").parse::<Table>();
    readings.extend(parsed.ok().and_then(|mut table| table.remove("value")));
    let items = text.split(',').filter(|item| !item.is_empty()).map(|item| Value::String(item.to_owned()));
    readings.push(Value::Array(items.collect()));
    readings
}

/// Whether this key takes this value.
fn single(key: &str, value: Value) -> Result<(), String> {
    let mut table = Table::new();
    insert(&mut table, key, value);
    match Value::Table(table).try_into::<Raw>() {
        Ok(_) => Ok(()),
        Err(error) => Err(error.message().trim().to_owned()),
    }
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if !inner.is_table() {
                *inner = Value::Table(Table::new());
            }
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// The values of a file with their dotted keys; an array is one value, and so is an empty table.
fn leaves(table: &Table, above: &str, found: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Table(inner) if !inner.is_empty() => leaves(inner, &key, found),
            _ => found.push((key, value.clone())),
        }
    }
}
