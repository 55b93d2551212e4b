//! Configuration: one TOML file, `SHIELDOPS_` variables over it, flags over both. It becomes `Raw`, and `Raw` becomes
//! [`Settings`] only when all of it is right; every problem is said at once, with its key, value and fix.
//!
//! The only place of the product that reads the environment.

mod check;
mod layers;
mod raw;
mod reference;
mod roles;
mod secret;
mod settings;

use std::{fmt, path::PathBuf};

use self::layers::Layers;
pub(crate) use self::{
    raw::Raw,
    reference::page as reference,
    roles::{Role, Roles},
    secret::DatabaseUrl,
    settings::{LogFormat, Settings},
};

/// What is wrong with one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) what: String,
    pub(crate) fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}\n  fix: {}", self.key, self.value, self.what, self.fix)
    }
}

/// What the flags of a command say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    pub(crate) config: Option<PathBuf>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) listen: Option<String>,
    /// Separated by commas.
    pub(crate) roles: Option<String>,
}

/// The effective configuration.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    pub(crate) raw: Raw,
    /// What is odd and does no harm: unknown variables, folders that are not there yet.
    pub(crate) warnings: Vec<String>,
}

/// A configuration that is not right, with everything that is wrong or odd.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<String>,
}

/// Reads file, environment and flags.
///
/// # Errors
/// Every problem of all three.
pub(crate) fn load(flags: &Flags) -> Result<Loaded, Wrong> {
    load_with(flags, environment())
}

fn load_with(flags: &Flags, environment: Vec<(String, String)>) -> Result<Loaded, Wrong> {
    let mut layers = Layers::default();
    if let Some(path) = &flags.config {
        layers.file(path);
    }
    layers.environment(environment.iter());
    layers.flag("data_dir", flags.data_dir.as_ref().map(|path| path.display().to_string()));
    layers.flag("listen", flags.listen.clone());
    layers.list_flag("roles", flags.roles.as_deref());
    let crash_at = environment.into_iter().find(|(name, _)| name == "SHIELDOPS_CRASH_AT").map(|(_, value)| value);
    let (raw, mut problems, mut warnings) = layers.read();
    let (settings, wrong) = check::check(&raw, crash_at, &mut warnings);
    problems.extend(wrong);
    match settings {
        Some(settings) if problems.is_empty() => {
            Ok(Loaded { settings: Settings { file: flags.config.clone(), ..settings }, raw, warnings })
        }
        _ => Err(Wrong { problems, warnings }),
    }
}

/// Our variables; one that is not UTF-8 is read with replacement characters and so refused by its key's check.
fn environment() -> Vec<(String, String)> {
    let ours = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("SHIELDOPS_"))?;
        Some((name, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(ours).collect()
}

/// The path of this very binary, which the demonstration and the benchmarks start again.
pub(crate) fn current_exe() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_unknown| PathBuf::from("/proc/self/exe"))
}

#[cfg(test)]
mod tests;
