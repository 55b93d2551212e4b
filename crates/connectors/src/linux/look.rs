//! What was read from a target at one time: our tables in its packet filter, and what the rest of the host says.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shieldops_model::Timestamp;
use shieldops_policy::Facts;
use shieldops_respond::Fault;

use super::{
    nft::{
        self, Table, addresses,
        isolation::{self, Way},
        ranges,
    },
    sim::Host,
    sockets::Connection,
};

/// Our tables on a target, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tables(BTreeMap<&'static str, Table>);

/// What the network capabilities ask of a target.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) tables: Tables,
    pub(super) facts: Facts,
    /// Connections that are up.
    pub(super) connections: Vec<Connection>,
    /// The way over the network by which the target is reached; `None` where no packet is on it.
    pub(super) way: Option<Way>,
}

impl Tables {
    /// From the list of all tables and the listings of ours, in the order of their names' list.
    pub(super) fn listed(parts: &[&[u8]]) -> Result<Self, Fault> {
        let odd = |why: String| Fault::Unavailable(format!("nft: {why}"));
        let (first, rest) = parts.split_first().ok_or_else(|| odd("no answer".to_owned()))?;
        let here = nft::tables_in(&json_of(first)?).map_err(odd)?;
        let mut tables = BTreeMap::new();
        for (name, part) in nft::TABLES.into_iter().zip(rest).filter(|(name, _)| here.contains(name)) {
            tables.insert(name, Table::parse(&json_of(part)?).map_err(odd)?);
        }
        Ok(Self(tables))
    }

    pub(super) fn named(&self, name: &str) -> Option<&Table> {
        self.0.get(name)
    }

    pub(super) fn addresses(&self) -> Option<&Table> {
        self.named(addresses::TABLE)
    }

    pub(super) fn ranges(&self) -> Option<&Table> {
        self.named(ranges::TABLE)
    }

    pub(super) fn isolation(&self) -> Option<&Table> {
        self.named(isolation::TABLE)
    }

    pub(super) fn simulated(host: &mut Host, now: Timestamp) -> Result<Self, Fault> {
        let mut tables = BTreeMap::new();
        for name in nft::TABLES {
            if let Some(listing) = host.list(name, now) {
                let odd = |why: String| Fault::Unavailable(format!("simulated nft: {why}"));
                tables.insert(name, Table::parse(&listing).map_err(odd)?);
            }
        }
        Ok(Self(tables))
    }
}

impl From<BTreeMap<&'static str, Table>> for Tables {
    fn from(tables: BTreeMap<&'static str, Table>) -> Self {
        Self(tables)
    }
}

pub(super) fn json_of(bytes: &[u8]) -> Result<Value, Fault> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        // nft prints nothing at all where there is nothing to list.
        return Ok(json!({"nftables": [{"metainfo": {}}]}));
    }
    serde_json::from_slice(bytes).map_err(|error| Fault::Unavailable(format!("nft: {error}")))
}
