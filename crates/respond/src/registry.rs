//! The capabilities that a binary has: a fixed list, sorted by name.

use std::{collections::BTreeMap, sync::Arc};

use crate::{AnyCapability, Description};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    #[error("two capabilities are named {0}")]
    Twice(&'static str),
    #[error("capability {0} has a base risk outside 1 to 3")]
    BaseRisk(&'static str),
}

#[derive(Default)]
pub struct Registry {
    by_name: BTreeMap<&'static str, Arc<dyn AnyCapability>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.by_name.keys()).finish()
    }
}

impl Registry {
    pub fn new(capabilities: Vec<Arc<dyn AnyCapability>>) -> Result<Self, RegistryError> {
        let mut by_name = BTreeMap::new();
        for capability in capabilities {
            let described = capability.describe();
            if !(1..=3).contains(&described.base_risk) {
                return Err(RegistryError::BaseRisk(described.name));
            }
            if by_name.insert(described.name, capability).is_some() {
                return Err(RegistryError::Twice(described.name));
            }
        }
        Ok(Self { by_name })
    }

    pub fn find(&self, name: &str) -> Option<&Arc<dyn AnyCapability>> {
        self.by_name.get(name)
    }

    /// Every capability, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<dyn AnyCapability>> {
        self.by_name.values()
    }

    pub fn describe(&self) -> Vec<Description> {
        self.all().map(|capability| capability.describe()).collect()
    }
}
