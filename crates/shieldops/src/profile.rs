//! Profiles: which server, as whom, for which tenant. One TOML file of mode 0600 in the configuration folder of the
//! operating system, since tokens are in it.

use std::{
    collections::BTreeMap,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::output::Failure;

pub(crate) const DEFAULT: &str = "default";
/// A larger file is a mistake.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Profiles {
    /// The one that is used when none is named.
    pub(crate) current: Option<String>,
    #[serde(rename = "profile")]
    pub(crate) all: BTreeMap<String, Profile>,
}

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    pub(crate) server: String,
    pub(crate) token: Option<String>,
    /// Of the token, so that signing out can revoke it.
    pub(crate) token_id: Option<String>,
    /// The slug of the tenant, where it is not the token's own.
    pub(crate) tenant: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
}

impl Profiles {
    /// What is kept; none where there is no file.
    pub(crate) fn load() -> Result<Self, Failure> {
        path().map_or_else(|| Ok(Self::default()), |path| Self::load_from(&path))
    }

    pub(crate) fn save(&self) -> Result<(), Failure> {
        let path = path().ok_or_else(|| {
            Failure::unusable("there is no folder for profiles")
                .fix("set HOME or XDG_CONFIG_HOME, or give --server and --token each time")
        })?;
        self.save_to(&path)
    }

    /// The profile of this name, or the current one, or nothing. A name that was given must be known.
    pub(crate) fn pick(&self, name: Option<&str>) -> Result<Option<(&str, &Profile)>, Failure> {
        let wanted = name.or(self.current.as_deref()).unwrap_or(DEFAULT);
        match self.all.get_key_value(wanted) {
            Some((name, profile)) => Ok(Some((name, profile))),
            None if name.is_none() => Ok(None),
            None => {
                let known: Vec<_> = self.all.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(Failure::unusable(format!("there is no profile `{wanted}`"))
                    .why(format!("known: {known}"))
                    .fix(format!("make it with `shieldops login --profile {wanted} --server URL`")))
            }
        }
    }

    fn load_from(path: &Path) -> Result<Self, Failure> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unreadable(path, error.to_string())),
        };
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(unreadable(path, "others can read it, and it holds tokens".to_owned())
                .fix(format!("chmod 600 {}", path.display())));
        }
        if metadata.len() > MAX_BYTES {
            return Err(unreadable(path, format!("{} bytes are over the limit of {MAX_BYTES}", metadata.len())));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, error.to_string()))?;
        // The message without the line: the line may hold a token.
        toml::from_str(&text).map_err(|error: toml::de::Error| unreadable(path, error.message().to_owned()))
    }

    fn save_to(&self, path: &Path) -> Result<(), Failure> {
        let text = toml::to_string(self).map_err(|error| Failure::unusable(error.to_string()))?;
        write(path, text.as_bytes())
            .map_err(|error| Failure::unusable(format!("{}: cannot be written", path.display())).why(error.to_string()))
    }
}

fn unreadable(path: &Path, why: String) -> Failure {
    Failure::unusable(format!("{}: cannot be used", path.display()))
        .why(why)
        .fix("correct it, or remove it and sign in again")
}

fn path() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("", "", "shieldops")?.config_dir().join("profiles.toml"))
}

/// Beside it and renamed: whoever reads meanwhile sees the old file or the new one, whole.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let fresh = path.with_extension(format!("new-{}", hex::encode(rand::random::<[u8; 8]>())));
    let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&fresh)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&fresh, path));
    if written.is_err() {
        // What could not be renamed holds a token: it does not stay.
        std::fs::remove_file(&fresh)?;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Profiles {
        let profile = Profile { server: "https://s".to_owned(), token: Some("sop_x".to_owned()), ..Profile::default() };
        Profiles { current: Some("work".to_owned()), all: [("work".to_owned(), profile)].into() }
    }

    #[test]
    fn what_is_kept_comes_back_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shieldops/profiles.toml");
        one().save_to(&path).ok().unwrap();
        one().save_to(&path).ok().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no copy is left");
        assert!(Profiles::load_from(&path).ok().unwrap() == one());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Profiles::load_from(&path).err().unwrap();
        assert!(refused.fix.unwrap().contains("chmod 600"));
    }

    #[test]
    fn a_damaged_file_is_named_and_its_tokens_are_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("profiles.toml");
        write(&path, b"[profile.x]\ntoken = \"sop_secret\" \"more\"\n").unwrap();
        let failure = Profiles::load_from(&path).err().unwrap();
        assert!(
            failure.what.contains("profiles.toml") && !format!("{failure:?}").contains("sop_secret"),
            "{failure:?}"
        );
    }

    #[test]
    fn a_profile_that_was_named_must_be_there() {
        assert_eq!(one().pick(None).ok().unwrap().unwrap().0, "work");
        assert!(Profiles::default().pick(None).ok().unwrap().is_none());
        let failure = one().pick(Some("home")).err().unwrap();
        assert!(failure.why.unwrap().contains("work"));
    }
}
