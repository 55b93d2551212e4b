//! `linux.block_range`: drop all packets from and to a range of addresses, in an nftables table of its own.

mod proving;

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;
use shieldops_model::{ControlPath, Reason, Target};
use shieldops_policy::{Dependant, Facts};
use shieldops_respond::{
    Capability, Child, Class, Description, Fault, Mark, Observed, Permit, Probe, Proving, Purpose, Site,
};

use super::{
    Linux,
    lasting::{self, MAX_EXPIRY_S},
    look::{Look, Tables},
    nft::{self, Element, Table, ranges},
    process, sockets,
};

/// Ranges whose loss breaks a host, whatever else is in the range that is asked for.
const NEVER: [&str; 8] =
    ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "::1/128", "fe80::/10", "ff00::/8"];
/// The most live actions that are named.
const MAX_NAMED: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// IPv4 or IPv6 in CIDR notation, without host bits; IPv4 in IPv6 clothes is IPv4.
    #[serde(deserialize_with = "canonical_range")]
    pub range: IpNet,
    /// Seconds after which the block undoes itself.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lasting::expiry")]
    pub expires_in_s: Option<u64>,
}

fn canonical_range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpNet, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(D::Error::custom)
}

fn parse(text: &str) -> Result<IpNet, String> {
    let shown: String = text.chars().take(64).collect();
    let wrong = |why: &str| format!("range: `{shown}` {why}");
    let range: IpNet =
        text.parse().map_err(|_invalid| wrong("is not a range in CIDR notation, such as 203.0.113.0/24"))?;
    if range.prefix_len() == 0 {
        return Err(wrong("is everything: name a smaller range"));
    }
    if range.addr() != range.network() {
        return Err(wrong(&format!("has bits beyond its prefix: did you mean {}?", range.trunc())));
    }
    let range = plain(range);
    if range.prefix_len() == 0 {
        return Err(wrong("is everything: name a smaller range"));
    }
    if range.prefix_len() == range.max_prefix_len() {
        return Err(wrong("is one address: block it with linux.block_ip"));
    }
    Ok(range)
}

/// `::ffff:203.0.113.0/120` is 203.0.113.0/24.
fn plain(range: IpNet) -> IpNet {
    let IpNet::V6(v6) = range else { return range };
    let (Some(v4), Some(bits)) = (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) else { return range };
    Ipv4Net::new(v4, bits).map_or(range, IpNet::V4)
}

/// Whether the range is blocked, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub range: IpNet,
    pub blocked: bool,
    /// Seconds that its owners want it (the kernel's timer ends later); `None`: until undone. Not compared: it runs.
    pub remaining_s: Option<u64>,
    /// Our table has a set for this length and nothing is in it: a timer ended. Not compared: it drops nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leftover: bool,
    /// The range is in its set, and somebody changed what looks at it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub altered: bool,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let compared = |state: &Self| (state.range, state.blocked, state.altered, state.remaining_s.is_some());
        compared(self) == compared(other)
    }
}

#[derive(Debug, Clone)]
pub struct BlockRange {
    linux: Arc<Linux>,
}

impl BlockRange {
    pub fn new(linux: Arc<Linux>) -> Self {
        Self { linux }
    }

    /// The tables, when there is nothing in the way that is not ours to touch.
    fn ours(&self, tables: Tables, target: &Target, range: IpNet) -> Result<Tables, Fault> {
        let (Some(table), marker) = (tables.ranges(), self.linux.marker()) else { return Ok(tables) };
        table.check_ours(&ranges::layout(marker, table), marker, &target.name)?;
        if let Some(element) = ranges::find(table, range).filter(|element| !element.is_marked(marker)) {
            let said = element.comment.as_deref().unwrap_or("no mark");
            let name = format!("{} {}", nft::FAMILY, ranges::TABLE);
            return Err(Fault::Refused(format!("{range} is blocked in table {name} by somebody else ({said})")));
        }
        Ok(tables)
    }

    fn state(&self, table: Option<&Table>, range: IpNet) -> State {
        let marker = self.linux.marker();
        let whole = table.is_some_and(|table| table.intact(&ranges::layout(marker, table), marker));
        let there = table.and_then(|table| ranges::find(table, range));
        let element = there.filter(|_| whole);
        State {
            range,
            blocked: element.is_some(),
            remaining_s: element.and_then(|element| lasting::wanted(element.remaining_s)),
            leftover: table.is_some_and(|table| ranges::is_leftover(table, range)),
            altered: there.is_some() && !whole,
        }
    }
}

/// The live effects that block a part of the range too: they stay when this one is undone.
fn overlapping(marker: &str, tables: &Tables, range: IpNet) -> Vec<Dependant> {
    let within = |other: &IpNet| other.contains(&range) || range.contains(other);
    let in_ranges = tables.ranges().into_iter().flat_map(ranges::all).filter(|(other, _)| *other != range);
    let alone = tables.addresses().into_iter().flat_map(Table::elements);
    let alone = alone.filter_map(|(_, element)| Some((IpNet::from(element.value.parse::<IpAddr>().ok()?), element)));
    let named = in_ranges.chain(alone).filter(|(other, _)| within(other)).map(|(other, element)| Dependant {
        kind: "action".to_owned(),
        name: element.owner(marker),
        detail: format!("blocks {other}, which shares addresses with {range}: those stay blocked"),
    });
    named.take(MAX_NAMED).collect()
}

/// What may never be in a blocked range.
fn untouchable(range: IpNet) -> Vec<Reason> {
    let never = NEVER.iter().filter_map(|text| text.parse::<IpNet>().ok());
    let held = never.filter(|net| net.contains(&range) || range.contains(net));
    held.map(|net| Reason {
        code: "protected_range".to_owned(),
        detail: format!("{range} shares addresses with {net}, which a host cannot be without"),
    })
    .collect()
}

fn marked(marker: &str, range: IpNet, element: &Element) -> Option<Mark<Params>> {
    let action = nft::action_of(marker, element.comment.as_deref()?)?.parse().ok()?;
    let params = Params { range, expires_in_s: lasting::asked(element.remaining_s) };
    let detail = format!("{range} is blocked in table {} {}", nft::FAMILY, ranges::TABLE);
    Some(Mark { action, params, detail })
}

#[async_trait]
impl Capability for BlockRange {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: "linux.block_range",
            title: "Block a range of addresses",
            target_kind: "linux_host",
            params_schema: json!({
                "type": "object", "additionalProperties": false, "required": ["range"],
                "properties": {
                    "range": {"type": "string", "description": "IPv4 or IPv6 range in CIDR notation", "examples": ["203.0.113.0/24", "2001:db8:6::/64"]},
                    "expires_in_s": {"type": "integer", "minimum": 1, "maximum": MAX_EXPIRY_S, "description": "seconds after which the block undoes itself"},
                },
            }),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["network.deny"],
            settle_ms: 0,
            base_risk: 2,
            twin: shieldops_respond::Twin::Network,
            docs: "Drops every packet from and to the range on input, output and forward, before connection tracking. A set \
                   for each prefix length, so that ranges may lie inside each other; everything is in the table `inet \
                   shieldops_ranges`, which goes with its last range. A range that holds an address of the host, its \
                   gateways, its name servers or the people who operate it is denied.",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        let access = self.linux.access(target)?;
        let Look { tables, facts, connections, way } = self.linux.look(&access).await?;
        let tables = self.ours(tables, target, params.range)?;
        let mut own = untouchable(params.range);
        own.extend(facts.untouchable);
        own.extend(way.and_then(|way| way.cut_by(params.range)));
        let dependants = overlapping(self.linux.marker(), &tables, params.range);
        let mut facts = Facts { dependants, untouchable: own, ..facts };
        sockets::cut(&mut facts, &connections, |one| params.range.contains(&one.peer_ip()));
        Ok(Observed { state: self.state(tables.ranges(), params.range), facts })
    }

    fn desired(&self, _state: &State, params: &Params) -> State {
        State { range: params.range, blocked: true, remaining_s: params.expires_in_s, leftover: false, altered: false }
    }

    async fn apply(&self, site: Site<'_>, _from: &State, to: &State, permit: Permit) -> Result<(), Fault> {
        let access = self.linux.access(site.target)?;
        let tables = self.ours(self.linux.tables(&access).await?, site.target, to.range)?;
        let (marker, table) = (self.linux.marker(), tables.ranges());
        let batch = match (table, to.blocked) {
            (_, true) => {
                let comment = nft::mark(marker, &permit.action().to_string());
                ranges::block(marker, table, to.range, lasting::timer(to.remaining_s), &comment)
            }
            (Some(table), false) if ranges::find(table, to.range).is_some() || ranges::is_leftover(table, to.range) => {
                ranges::unblock(marker, table, to.range)
            }
            (_, false) => return Ok(()),
        };
        self.linux.batch(&access, &batch, Some(site.watch)).await
    }

    fn undo_text(&self, params: &Params) -> String {
        format!(
            "Takes {} out of its set again; what another live action blocks of it stays blocked, and connections that \
             were dropped may not come back by themselves.",
            params.range
        )
    }

    fn control_path(&self, target: &Target, _params: &Params) -> ControlPath {
        Linux::control_path(target)
    }

    fn key(&self, params: &Params) -> String {
        params.range.to_string()
    }

    fn reach(&self, params: &Params) -> Vec<IpNet> {
        vec![params.range]
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
        if !wanted.blocked {
            // Nothing of ours may be left there, whatever was found before.
            return observed.range == wanted.range && !(observed.blocked || observed.leftover || observed.altered);
        }
        observed == wanted && lasting::long_enough(observed.remaining_s, wanted.remaining_s)
    }

    fn not_checkable(&self, params: &Params) -> Vec<String> {
        vec![
            format!("who else, besides the attacker, uses an address in {}", params.range),
            format!("whether whoever uses {} comes back from another address", params.range),
        ]
    }

    async fn probe(&self, target: &Target, params: &Params) -> Option<Probe> {
        self.linux.probe_within(target, params.range).await
    }

    async fn marks(&self, target: &Target) -> Result<Vec<Mark<Params>>, Fault> {
        let access = self.linux.access(target)?;
        let (tables, marker) = (self.linux.tables(&access).await?, self.linux.marker());
        let all = tables.ranges().into_iter().flat_map(ranges::all);
        Ok(all.filter_map(|(range, element)| marked(marker, range, element)).collect())
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

#[cfg(test)]
mod tests;
