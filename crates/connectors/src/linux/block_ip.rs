//! `linux.block_ip`: drop all packets from and to one address, in our own nftables table.

mod proving;

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;
use shieldops_model::{ControlPath, Target};
use shieldops_policy::Dependant;
use shieldops_respond::{
    Capability, Child, Class, Description, Fault, Mark, Observed, Permit, Probe, Proving, Purpose, Site,
};

use super::{
    Linux,
    lasting::{self, MAX_EXPIRY_S},
    look::{Look, Tables},
    nft::{self, Element, Table, addresses, ranges},
    process, sockets,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// IPv4 or IPv6; an IPv4 address in IPv6 clothes is IPv4.
    #[serde(deserialize_with = "canonical_address")]
    pub address: IpAddr,
    /// Seconds after which the block undoes itself.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lasting::expiry")]
    pub expires_in_s: Option<u64>,
}

fn canonical_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    let Ok(address) = text.parse::<IpAddr>() else {
        let shown: String = text.chars().take(64).collect();
        return Err(D::Error::custom(format!("address: `{shown}` is not an IP address")));
    };
    Ok(address.to_canonical())
}

/// Whether the address is blocked, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub address: IpAddr,
    pub blocked: bool,
    /// Seconds that its owners want it (the kernel's timer ends later); `None`: until undone. Not compared: it runs.
    pub remaining_s: Option<u64>,
    /// Our table is there and nothing is in it: timers ended. Not compared: it drops nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leftover: bool,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let timed = |state: &Self| state.remaining_s.is_some();
        self.address == other.address && self.blocked == other.blocked && timed(self) == timed(other)
    }
}

#[derive(Debug, Clone)]
pub struct BlockIp {
    linux: Arc<Linux>,
}

impl BlockIp {
    pub fn new(linux: Arc<Linux>) -> Self {
        Self { linux }
    }

    /// The tables, when there is nothing in the way that is not ours to touch.
    fn ours(&self, tables: Tables, target: &Target, address: IpAddr) -> Result<Tables, Fault> {
        let (Some(table), marker) = (tables.addresses(), self.linux.marker()) else { return Ok(tables) };
        table.check_ours(&addresses::layout(marker), marker, &target.name)?;
        if let Some(element) = addresses::find(table, address).filter(|element| !element.is_marked(marker)) {
            let said = element.comment.as_deref().unwrap_or("no mark");
            let name = format!("{} {}", nft::FAMILY, addresses::TABLE);
            return Err(Fault::Refused(format!("{address} is blocked in table {name} by somebody else ({said})")));
        }
        Ok(tables)
    }

    fn state(&self, table: Option<&Table>, address: IpAddr) -> State {
        let marker = self.linux.marker();
        // An element that no rule looks at blocks nothing.
        let element = table
            .filter(|table| table.intact(&addresses::layout(marker), marker))
            .and_then(|table| addresses::find(table, address));
        State {
            address,
            blocked: element.is_some(),
            remaining_s: element.and_then(|element| lasting::wanted(element.remaining_s)),
            leftover: table.is_some_and(|table| table.elements().next().is_none()),
        }
    }
}

/// What an element of ours says of itself.
fn marked(marker: &str, element: &Element) -> Option<Mark<Params>> {
    let action = nft::action_of(marker, element.comment.as_deref()?)?.parse().ok()?;
    let address = element.value.parse::<IpAddr>().ok()?.to_canonical();
    let params = Params { address, expires_in_s: lasting::asked(element.remaining_s) };
    let detail = format!("{address} is blocked in table {} {}", nft::FAMILY, addresses::TABLE);
    Some(Mark { action, params, detail })
}

/// The ranges that block the address too, whatever becomes of its own block.
fn ranges_over(marker: &str, tables: &Tables, address: IpAddr) -> Vec<Dependant> {
    let over = tables.ranges().into_iter().flat_map(ranges::all).filter(|(range, _)| range.contains(&address));
    let named = over.map(|(range, element)| Dependant {
        kind: "action".to_owned(),
        name: element.owner(marker),
        detail: format!("blocks {range}, which holds {address}: it stays blocked"),
    });
    named.collect()
}

#[async_trait]
impl Capability for BlockIp {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: "linux.block_ip",
            title: "Block an IP address",
            target_kind: "linux_host",
            params_schema: json!({
                "type": "object", "additionalProperties": false, "required": ["address"],
                "properties": {
                    "address": {"type": "string", "description": "IPv4 or IPv6 address", "examples": ["203.0.113.66", "2001:db8::66"]},
                    "expires_in_s": {"type": "integer", "minimum": 1, "maximum": MAX_EXPIRY_S, "description": "seconds after which the block undoes itself"},
                },
            }),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["network.deny"],
            settle_ms: 0,
            base_risk: 1,
            twin: shieldops_respond::Twin::Network,
            docs: "Drops every packet from and to the address on input, output and forward, before connection tracking, so that \
                   established connections stall too. Everything is in a table of its own, `inet shieldops`, which goes with its last block.",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        let access = self.linux.access(target)?;
        let Look { tables, mut facts, connections, way } = self.linux.look(&access).await?;
        let tables = self.ours(tables, target, params.address)?;
        facts.untouchable.extend(way.and_then(|way| way.cut_by(params.address.into())));
        facts.dependants = ranges_over(self.linux.marker(), &tables, params.address);
        sockets::cut(&mut facts, &connections, |one| one.peer_ip() == params.address);
        Ok(Observed { state: self.state(tables.addresses(), params.address), facts })
    }

    fn desired(&self, _state: &State, params: &Params) -> State {
        State { address: params.address, blocked: true, remaining_s: params.expires_in_s, leftover: false }
    }

    async fn apply(&self, site: Site<'_>, _from: &State, to: &State, permit: Permit) -> Result<(), Fault> {
        let access = self.linux.access(site.target)?;
        let tables = self.ours(self.linux.tables(&access).await?, site.target, to.address)?;
        let (marker, table) = (self.linux.marker(), tables.addresses());
        let batch = match (table, to.blocked) {
            (_, true) => {
                let comment = nft::mark(marker, &permit.action().to_string());
                addresses::block(marker, table, to.address, lasting::timer(to.remaining_s), &comment)
            }
            (Some(table), false) if addresses::find(table, to.address).is_some() => {
                addresses::unblock(marker, table, to.address)
            }
            (Some(table), false) if table.elements().next().is_none() => {
                json!({"nftables": [nft::delete_table(addresses::TABLE)]})
            }
            (_, false) => return Ok(()),
        };
        self.linux.batch(&access, &batch, Some(site.watch)).await
    }

    fn undo_text(&self, params: &Params) -> String {
        format!(
            "Takes {} out of the set again; connections that were dropped may not come back by themselves.",
            params.address
        )
    }

    fn control_path(&self, target: &Target, _params: &Params) -> ControlPath {
        Linux::control_path(target)
    }

    fn key(&self, params: &Params) -> String {
        params.address.to_string()
    }

    fn reach(&self, params: &Params) -> Vec<IpNet> {
        vec![IpNet::from(params.address)]
    }

    fn lasts(&self, params: &Params) -> Option<Duration> {
        params.expires_in_s.map(Duration::from_secs)
    }

    fn hold(&self, state: State, span: Option<Duration>) -> State {
        if !state.blocked {
            return state;
        }
        State { remaining_s: lasting::seconds(span), ..state }
    }

    fn holds(&self, observed: &State, wanted: &State) -> bool {
        let clean = wanted.blocked || !observed.leftover;
        observed == wanted && clean && lasting::long_enough(observed.remaining_s, wanted.remaining_s)
    }

    fn not_checkable(&self, params: &Params) -> Vec<String> {
        vec![format!("whether whoever uses {} comes back from another address", params.address)]
    }

    async fn probe(&self, target: &Target, params: &Params) -> Option<Probe> {
        self.linux.probe(target, params.address).await
    }

    async fn marks(&self, target: &Target) -> Result<Vec<Mark<Params>>, Fault> {
        let access = self.linux.access(target)?;
        let (tables, marker) = (self.linux.tables(&access).await?, self.linux.marker());
        let elements = tables.addresses().into_iter().flat_map(Table::elements);
        Ok(elements.filter_map(|(_, element)| marked(marker, element)).collect())
    }

    fn cleared(&self, state: State) -> State {
        State { blocked: false, remaining_s: None, leftover: false, ..state }
    }

    async fn end_child(&self, child: &Child) -> Result<(), Fault> {
        process::end(child).await
    }

    fn proving(&self) -> Option<&dyn Proving> {
        Some(self)
    }
}
