//! `linux.block_ip`: drop all packets from and to one address, in our own nftables table.

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;
use shieldops_model::{ControlPath, Target};
use shieldops_respond::{Capability, Child, Class, Description, Fault, Mark, Observed, Permit, Probe, Purpose, Site};

use super::{
    Linux,
    nft::{self, Element, Table},
    process,
};

/// The longest a block may be asked for: a year.
const MAX_EXPIRY_S: u64 = 366 * 24 * 3600;
/// The timer in the kernel ends this much later than the last owner: it is only a backstop.
const BACKSTOP_S: u64 = 300;
/// How much of that may be missing before it is drift: clocks and roundings.
const SLACK_S: u64 = 30;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// IPv4 or IPv6; an IPv4 address in IPv6 clothes is IPv4.
    #[serde(deserialize_with = "canonical_address")]
    pub address: IpAddr,
    /// Seconds after which the block undoes itself.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "expiry")]
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

fn expiry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Option::<u64>::deserialize(deserializer)? {
        Some(seconds) if !(1..=MAX_EXPIRY_S).contains(&seconds) => {
            Err(D::Error::custom(format!("expires_in_s: want 1 to {MAX_EXPIRY_S}, got {seconds}")))
        }
        seconds => Ok(seconds),
    }
}

/// Whether the address is blocked, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub address: IpAddr,
    pub blocked: bool,
    /// Seconds that its owners want it (the kernel's timer ends later); `None`: until undone. Not compared: it runs.
    pub remaining_s: Option<u64>,
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

    /// The table, when there is nothing in it that is not ours to touch.
    async fn ours(&self, target: &Target, address: IpAddr) -> Result<Option<Table>, Fault> {
        let access = self.linux.access(target)?;
        let Some(table) = self.linux.table(&access).await? else { return Ok(None) };
        let name = format!("{} {}", nft::FAMILY, nft::TABLE);
        if !table.foreign.is_empty() || !table.marked {
            let what =
                if table.foreign.is_empty() { "nothing of it is ours".to_owned() } else { table.foreign.join(", ") };
            return Err(Fault::Refused(format!("table {name} on {} is not ours: {what}", target.name)));
        }
        let unmarked = |element: &&Element| {
            element.comment.as_deref().is_none_or(|comment| nft::action_of(self.linux.marker(), comment).is_none())
        };
        if let Some(element) = table.find(address).filter(|element| unmarked(element)) {
            let said = element.comment.as_deref().unwrap_or("no mark");
            return Err(Fault::Refused(format!("{address} is blocked in table {name} by somebody else ({said})")));
        }
        Ok(Some(table))
    }
}

fn state(table: Option<&Table>, address: IpAddr) -> State {
    // An element that no rule looks at blocks nothing.
    let element = table.filter(|table| table.intact).and_then(|table| table.find(address));
    State {
        address,
        blocked: element.is_some(),
        remaining_s: element.and_then(|element| element.remaining_s).map(|seconds| seconds.saturating_sub(BACKSTOP_S)),
    }
}

/// What an element of ours says of itself; its owners' time is what the kernel's timer has beyond the backstop.
fn marked(marker: &str, element: &Element) -> Option<Mark<Params>> {
    let action = nft::action_of(marker, element.comment.as_deref()?)?.parse().ok()?;
    let wanted = element.remaining_s.map(|seconds| seconds.saturating_sub(BACKSTOP_S).clamp(1, MAX_EXPIRY_S));
    let params = Params { address: element.address.to_canonical(), expires_in_s: wanted };
    let detail = format!("{} is blocked in table {} {}", element.address, nft::FAMILY, nft::TABLE);
    Some(Mark { action, params, detail })
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
        let (table, facts) = tokio::try_join!(self.ours(target, params.address), self.linux.facts(&access))?;
        Ok(Observed { state: state(table.as_ref(), params.address), facts })
    }

    fn desired(&self, _state: &State, params: &Params) -> State {
        State { address: params.address, blocked: true, remaining_s: params.expires_in_s }
    }

    async fn apply(&self, site: Site<'_>, _from: &State, to: &State, permit: Permit) -> Result<(), Fault> {
        let access = self.linux.access(site.target)?;
        let table = self.ours(site.target, to.address).await?;
        let marker = self.linux.marker();
        let batch = match (&table, to.blocked) {
            (_, true) => {
                let comment = nft::mark(marker, &permit.action().to_string());
                let timeout = to.remaining_s.map(|seconds| seconds + BACKSTOP_S);
                nft::block(marker, table.as_ref(), to.address, timeout, &comment)
            }
            (Some(table), false) if table.find(to.address).is_some() => nft::unblock(table, to.address),
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
        let whole = |span: Duration| span.as_secs() + u64::from(span.subsec_nanos() > 0);
        State { remaining_s: span.map(whole), ..state }
    }

    fn holds(&self, observed: &State, wanted: &State) -> bool {
        // A backstop that would end before the last owner is not what was wanted.
        let long_enough = match (observed.remaining_s, wanted.remaining_s) {
            (Some(there), Some(wanted)) => there + SLACK_S >= wanted,
            _ => true,
        };
        observed == wanted && long_enough
    }

    fn not_checkable(&self, params: &Params) -> Vec<String> {
        vec![format!("whether whoever uses {} comes back from another address", params.address)]
    }

    async fn probe(&self, target: &Target, params: &Params) -> Option<Probe> {
        self.linux.probe(target, params.address).await
    }

    async fn marks(&self, target: &Target) -> Result<Vec<Mark<Params>>, Fault> {
        let access = self.linux.access(target)?;
        let Some(table) = self.linux.table(&access).await? else { return Ok(Vec::new()) };
        Ok(table.elements.iter().filter_map(|element| marked(self.linux.marker(), element)).collect())
    }

    fn cleared(&self, state: State) -> State {
        State { blocked: false, remaining_s: None, ..state }
    }

    async fn end_child(&self, child: &Child) -> Result<(), Fault> {
        process::end(child).await
    }
}
