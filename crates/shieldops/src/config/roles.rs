//! What one process of an installation does.

use std::{collections::BTreeSet, fmt};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Takes events and keeps them.
    Ingest,
    /// Runs rules over the events and investigates.
    Detect,
    /// Plans, acts, watches and undoes.
    Respond,
    /// Serves people and programs.
    Api,
}

impl Role {
    pub(super) const ALL: [Self; 4] = [Self::Ingest, Self::Detect, Self::Respond, Self::Api];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Detect => "detect",
            Self::Respond => "respond",
            Self::Api => "api",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roles(pub(super) BTreeSet<Role>);

impl Roles {
    pub(crate) fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Whether this process holds the log of events.
    pub(crate) fn owns_bus(&self) -> bool {
        self.has(Role::Ingest) || self.has(Role::Detect)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|role| role.as_str()).collect();
        f.write_str(&names.join(","))
    }
}
