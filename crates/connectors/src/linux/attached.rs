//! Twins that another process of ours holds: entered by the number of a process in them, neither started nor ended here.
//! So a process that acts on a twin can be killed, and the twin is still there for whoever comes next.

use std::sync::PoisonError;

use super::{Linux, hand, rooted};

/// A twin, by a process in it as this host numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    Network(u32),
    Rooted(u32),
}

impl Linux {
    /// From here on `twin/<name>` is this one.
    pub fn attach(&self, name: &str, twin: Attached) {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), twin);
    }

    /// A twin that others may be attached to.
    pub fn attachable(&self, name: &str) -> Option<Attached> {
        let rooted = || self.rooted(name).map(|twin| Attached::Rooted(twin.process_id()));
        self.attached(name).or_else(rooted).or_else(|| Some(Attached::Network(self.twin(name)?.process_id())))
    }

    pub(super) fn attached(&self, name: &str) -> Option<Attached> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    /// What enters a rooted twin, whoever holds it; a program and its arguments follow.
    pub(super) fn enter_rooted(&self, name: &str) -> Option<Vec<String>> {
        match self.attached(name) {
            Some(Attached::Rooted(pid)) => Some(rooted::enter(pid)),
            Some(Attached::Network(_)) => None,
            None => self.rooted(name).map(|twin| twin.enter()),
        }
    }

    /// What starts our hand in a rooted twin, whoever holds it.
    pub(super) fn hand_in(&self, name: &str) -> Option<Vec<String>> {
        let mut argv = self.enter_rooted(name)?;
        argv.extend([rooted::HAND.to_owned(), hand::VERB.to_owned()]);
        Some(argv)
    }

    /// A process in a network twin, whoever holds it.
    pub(super) fn inside_network(&self, name: &str) -> Option<u32> {
        match self.attached(name) {
            Some(Attached::Network(pid)) => Some(pid),
            Some(Attached::Rooted(_)) => None,
            None => self.twin(name).map(|twin| twin.process_id()),
        }
    }
}
