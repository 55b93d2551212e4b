//! Who and what an event speaks of: the nodes of the entity graph.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    Ip,
    Host,
    User,
    Process,
    File,
    Domain,
    Url,
    Hash,
}

impl EntityKind {
    pub const ALL: [Self; 8] =
        [Self::Ip, Self::Host, Self::User, Self::Process, Self::File, Self::Domain, Self::Url, Self::Hash];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Host => "host",
            Self::User => "user",
            Self::Process => "process",
            Self::File => "file",
            Self::Domain => "domain",
            Self::Url => "url",
            Self::Hash => "hash",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One entity: `value` is canonical (addresses as RFC 5952 prints them, hosts and domains in lower case).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct Entity {
    pub kind: EntityKind,
    pub value: String,
}

impl Entity {
    pub fn new(kind: EntityKind, value: impl Into<String>) -> Self {
        Self { kind, value: value.into() }
    }

    /// The opaque key under which the bus indexes this entity: the first eight bytes of a SHA-256.
    pub fn key(&self) -> u64 {
        use sha2::{Digest, Sha256};
        let digest =
            Sha256::new().chain_update(self.kind.as_str()).chain_update([0]).chain_update(&self.value).finalize();
        digest.iter().take(8).fold(0, |key, byte| (key << 8) | u64::from(*byte))
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.value)
    }
}
