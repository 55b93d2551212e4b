//! The target as it really is, read behind the server's back: the simulator's file, or nft in a namespace.

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

pub(crate) enum World {
    Sim(PathBuf),
    Netns(Namespace),
}

/// A named network namespace, removed with this value.
pub(crate) struct Namespace(String);

impl Namespace {
    /// `None` where one cannot be made or nft does not work in it.
    pub(crate) fn make(name: &str) -> Option<Self> {
        let name = format!("{name}-{}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output().ok()?;
        let namespace = made.status.success().then_some(Self(name))?;
        namespace.nft().is_some().then_some(namespace)
    }

    /// What nft lists; nothing where it lists nothing.
    fn nft(&self) -> Option<Vec<Value>> {
        let output =
            Command::new("ip").args(["netns", "exec", &self.0, "nft", "-j", "list", "ruleset"]).output().ok()?;
        if output.stdout.iter().all(u8::is_ascii_whitespace) {
            return output.status.success().then(Vec::new);
        }
        serde_json::from_slice::<Value>(&output.stdout).ok()?["nftables"].as_array().cloned()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        Command::new("ip").args(["netns", "del", &self.0]).status().ok();
    }
}

impl World {
    pub(crate) fn sim(data: &Path, name: &str) -> Self {
        Self::Sim(data.join("sim").join(format!("{name}.json")))
    }

    /// The name of the target.
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Sim(path) => format!("sim/{}", path.file_stem().unwrap().to_str().unwrap()),
            Self::Netns(namespace) => format!("netns/{}", namespace.0),
        }
    }

    /// Every blocked address with the mark of the action that blocks it.
    pub(crate) fn blocked(&self) -> BTreeMap<String, String> {
        match self {
            Self::Sim(path) => {
                let host: Value =
                    std::fs::read(path).map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
                let sets = host["table"]["sets"].as_object().cloned().unwrap_or_default();
                let elements = sets.values().flat_map(|set| set["elements"].as_object().unwrap().clone());
                elements.map(|(address, element)| (address, element["comment"].as_str().unwrap().to_owned())).collect()
            }
            Self::Netns(namespace) => {
                let objects = namespace.nft().expect("nft lists");
                let sets = objects.iter().filter_map(|object| object["set"]["elem"].as_array());
                let elements = sets.flatten().map(|element| &element["elem"]);
                elements
                    .map(|element| {
                        (element["val"].as_str().unwrap().to_owned(), element["comment"].as_str().unwrap().to_owned())
                    })
                    .collect()
            }
        }
    }

    /// Whether nothing of ours is left.
    pub(crate) fn is_clean(&self) -> bool {
        match self {
            Self::Sim(path) => std::fs::read(path)
                .map_or(true, |bytes| serde_json::from_slice::<Value>(&bytes).unwrap()["table"].is_null()),
            Self::Netns(namespace) => {
                namespace.nft().expect("nft lists").iter().all(|object| object.get("metainfo").is_some())
            }
        }
    }

    /// Changes whenever the simulator is written, were it with the same content.
    pub(crate) fn writing(&self) -> Option<u64> {
        match self {
            Self::Sim(path) => {
                std::fs::metadata(path).ok().map(|meta| meta.ino() ^ u64::try_from(meta.mtime_nsec()).unwrap())
            }
            Self::Netns(_) => None,
        }
    }
}
