//! `linux.isolate_host`: drop everything from and to a host but loopback and the ways that its people manage it by.
//!
//! It could cut our own way, so it is armed: the kernel takes it back by itself unless it is disarmed over a new
//! connection. See [`nft::isolation`] for how.

mod proving;

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::json;
use shieldops_model::{ControlPath, Reason, Target};
use shieldops_policy::Facts;
use shieldops_respond::{
    Capability, Child, Class, Cut, CutHost, Description, Fault, Mark, Observed, Permit, Probe, Proving, Purpose, Site,
};

use super::{
    Linux,
    lasting::{self, MAX_EXPIRY_S},
    look::{Look, Tables},
    nft::{
        self, Element, Table,
        isolation::{self, Way},
    },
    process,
    sockets::{self, Connection},
};

/// The most networks that are kept.
const MAX_KEPT: usize = 8;
/// The widest network that is kept: a wider one would be no isolation.
const MIN_BITS: [u8; 2] = [16, 48];
const SSH_PORT: u16 = 22;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Addresses or networks that may go on reaching the host, besides this server's own way to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "networks", serialize_with = "texts")]
    pub keep: Vec<IpNet>,
    /// The TCP port of the host that they reach.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// Seconds after which the isolation undoes itself.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lasting::expiry")]
    pub expires_in_s: Option<u64>,
}

const fn ssh_port() -> u16 {
    SSH_PORT
}

fn texts<S: Serializer>(nets: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(nets.iter().map(ToString::to_string))
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    if texts.len() > MAX_KEPT {
        return Err(D::Error::custom(format!("keep: want at most {MAX_KEPT} networks, got {}", texts.len())));
    }
    let mut nets = texts.iter().map(|text| network(text)).collect::<Result<Vec<_>, _>>().map_err(D::Error::custom)?;
    nets.sort_unstable();
    nets.dedup();
    Ok(nets)
}

fn network(text: &str) -> Result<IpNet, String> {
    let shown: String = text.chars().take(64).collect();
    let alone = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    let net = alone
        .or_else(|_| text.parse::<IpNet>())
        .map_err(|_invalid| format!("keep: `{shown}` is neither an address nor a network such as 192.0.2.0/24"))?;
    let least = MIN_BITS[usize::from(net.addr().is_ipv6())];
    if net.prefix_len() < least {
        return Err(format!("keep: `{shown}` is too wide, want at least /{least}"));
    }
    if net.addr() != net.network() {
        return Err(format!("keep: `{shown}` has bits beyond its prefix: did you mean {}?", net.trunc()));
    }
    Ok(net)
}

impl Params {
    fn ways(&self) -> Vec<Way> {
        self.keep.iter().map(|from| Way { from: *from, port: self.port }).collect()
    }
}

/// Whether the host is isolated, what is kept open, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub isolated: bool,
    /// What stays open; of a host that is not isolated, what would. Compared where it is.
    pub keep: Vec<Way>,
    /// Seconds that its owners want it (the kernel's timer ends later); `None`: until undone. Not compared: it runs.
    pub remaining_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noted: Option<Noted>,
}

/// What is worth knowing of an isolation besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noted {
    /// The target takes it back by itself soon. Not compared: it is in force until then.
    Armed,
    /// Our table is there and its gate is open: a timer ended. Not compared: it drops nothing.
    Leftover,
    /// The gate is shut, and somebody changed what is behind it.
    Altered,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let is = |state: &Self, noted| state.noted == Some(noted);
        let armed = is(self, Noted::Armed) || is(other, Noted::Armed);
        let timed = armed || self.remaining_s.is_some() == other.remaining_s.is_some();
        let as_much = !self.isolated || self.keep == other.keep && timed;
        let altered = is(self, Noted::Altered) == is(other, Noted::Altered);
        self.isolated == other.isolated && altered && as_much
    }
}

#[derive(Debug, Clone)]
pub struct IsolateHost {
    linux: Arc<Linux>,
}

impl IsolateHost {
    pub fn new(linux: Arc<Linux>) -> Self {
        Self { linux }
    }

    /// The table, when there is nothing in it that is not ours to touch.
    fn ours(&self, tables: &Tables, target: &Target) -> Result<Option<Table>, Fault> {
        let Some(table) = tables.isolation().cloned() else { return Ok(None) };
        let marker = self.linux.marker();
        table.check_ours(&isolation::layout(marker, &isolation::ways(&table)), marker, &target.name)?;
        if let Some(element) = isolation::gate(&table).filter(|element| !element.is_marked(marker)) {
            let said = element.comment.as_deref().unwrap_or("no mark");
            return Err(Fault::Refused(format!("{} is isolated by somebody else ({said})", target.name)));
        }
        Ok(Some(table))
    }

    /// The element that keeps the host isolated, where everything that enforces it is in place.
    fn shut<'a>(&self, table: Option<&'a Table>) -> Option<&'a Element> {
        let (table, marker) = (table?, self.linux.marker());
        let whole = table.intact(&isolation::layout(marker, &isolation::ways(table)), marker);
        isolation::gate(table).filter(|_| whole)
    }

    fn state(&self, table: Option<&Table>, would_keep: Vec<Way>) -> State {
        let shut = self.shut(table);
        let noted = match (shut, table) {
            (Some(element), _) => isolation::is_armed(element).then_some(Noted::Armed),
            (None, Some(table)) if isolation::gate(table).is_some() => Some(Noted::Altered),
            (None, Some(table)) => table.elements().next().is_none().then_some(Noted::Leftover),
            (None, None) => None,
        };
        let lasts = shut.filter(|_| noted.is_none()).and_then(|element| lasting::wanted(element.remaining_s));
        State {
            isolated: shut.is_some(),
            keep: table.filter(|_| shut.is_some()).map_or(would_keep, isolation::ways),
            remaining_s: lasts,
            noted,
        }
    }

    /// What the host's connections and the way to it come to.
    fn facts(target: &Target, params: &Params, mut facts: Facts, state: &State, live: &[Connection]) -> Facts {
        let (own, keep) = (facts.own_addresses.clone(), &state.keep);
        let stays = |one: &Connection| {
            let kept = |way: &Way| one.is_tcp() && way.port == one.local.port() && way.from.contains(&one.peer_ip());
            one.peer_ip().is_loopback() || own.contains(&one.peer_ip()) || keep.iter().any(kept)
        };
        sockets::cut(&mut facts, live, |one| !stays(one));
        if target.name == "local" && params.keep.is_empty() {
            facts.untouchable.push(Reason {
                code: "management_path".to_owned(),
                detail: "nobody could reach this server any more: name in `keep`, with its `port`, where its people come from"
                    .to_owned(),
            });
        }
        facts
    }
}

#[async_trait]
impl Capability for IsolateHost {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: "linux.isolate_host",
            title: "Isolate a host from the network",
            target_kind: "linux_host",
            params_schema: json!({
                "type": "object", "additionalProperties": false,
                "properties": {
                    "keep": {"type": "array", "maxItems": MAX_KEPT, "items": {"type": "string"}, "description": "addresses or networks that may go on reaching the host, besides this server's own way to it", "examples": [["192.0.2.7", "192.0.2.128/25"]]},
                    "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": SSH_PORT, "description": "the TCP port of the host that they reach"},
                    "expires_in_s": {"type": "integer", "minimum": 1, "maximum": MAX_EXPIRY_S, "description": "seconds after which the isolation undoes itself"},
                },
            }),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["network.isolate"],
            settle_ms: 0,
            base_risk: 3,
            twin: shieldops_respond::Twin::Network,
            docs: "Drops every packet in, out and through but loopback, the server's own way to the host and what `keep` names; \
                   established connections are cut too, those of the kept ways are not. Everything is in the table `inet \
                   shieldops_isolation`. The kernel takes it back by itself after a short time unless the server reaches the \
                   host over a new connection and disarms it. Name resolution, time and address leases (DHCP) stop as well: a \
                   host whose lease ends while it is isolated is lost to its management path too.",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        let access = self.linux.access(target)?;
        let Look { tables, facts, connections: live, way } = self.linux.look(&access).await?;
        let table = self.ours(&tables, target)?;
        let mut keep = params.ways();
        keep.extend(way);
        keep.sort_unstable();
        keep.dedup();
        let state = self.state(table.as_ref(), keep);
        if state.isolated && params.ways().iter().any(|way| !state.keep.contains(way)) {
            let why = "it is isolated already and another way is kept open: undo that first, or leave `keep` out";
            return Err(Fault::Refused(format!("{}: {why}", target.name)));
        }
        let facts = Self::facts(target, params, facts, &state, &live);
        Ok(Observed { state, facts })
    }

    fn desired(&self, state: &State, params: &Params) -> State {
        let keep = state.keep.clone();
        State { isolated: true, keep, remaining_s: params.expires_in_s, noted: None }
    }

    async fn apply(&self, site: Site<'_>, _from: &State, to: &State, permit: Permit) -> Result<(), Fault> {
        let access = self.linux.access(site.target)?;
        let Look { tables, way, .. } = self.linux.look(&access).await?;
        let table = self.ours(&tables, site.target)?;
        let marker = self.linux.marker();
        let comment = nft::mark(marker, &permit.action().to_string());
        let there = self.state(table.as_ref(), Vec::new());
        let batch = match table.as_ref() {
            None if !to.isolated => return Ok(()),
            Some(_) if !to.isolated => isolation::lift(),
            // Another owner's effect is in force and proved: only its time changes, and nothing is armed.
            Some(table) if there.isolated && there.noted.is_none() && there.keep == to.keep => {
                isolation::keep(table, lasting::timer(to.remaining_s), &comment)
            }
            before => {
                if way.is_some_and(|way| !to.keep.contains(&way)) {
                    let why = "the way to it is not the one that the plan keeps open: plan again".to_owned();
                    return Err(Fault::Refused(format!("{}: {why}", site.target.name)));
                }
                let after = reverts_after(site.target).as_secs();
                isolation::arm(marker, before, &to.keep, after, &comment)
            }
        };
        self.linux.batch(&access, &batch, Some(site.watch)).await
    }

    fn undo_text(&self, _params: &Params) -> String {
        "Takes the table of the isolation out; connections that were cut may not come back by themselves.".to_owned()
    }

    fn control_path(&self, target: &Target, _params: &Params) -> ControlPath {
        let path = Linux::control_path(target);
        if path.via != "ssh" {
            return path;
        }
        let why = format!(
            "everything but this way is dropped on the target: it takes the effect back by itself after {} s unless it is \
             reached over a new connection",
            reverts_after(target).as_secs()
        );
        ControlPath { at_risk: true, why, ..path }
    }

    fn key(&self, _params: &Params) -> String {
        "host".to_owned()
    }

    /// A host to which we come from itself is this one, whatever its target is called; or `keep` names it.
    fn cuts_off(&self, target: &Target, _params: &Params, seen: &Observed<State>) -> Option<Cut> {
        let kept: Vec<(IpNet, u16)> = seen.state.keep.iter().map(|way| (way.from, way.port)).collect();
        let own = |net: &IpNet| seen.facts.own_addresses.iter().any(|address| IpNet::from(*address) == *net);
        let host = match target.name.as_str() {
            "local" => CutHost::Ours,
            _ if kept.iter().any(|(from, _)| own(from)) => CutHost::Perhaps,
            _ => CutHost::Another,
        };
        Some(Cut { kept, host })
    }

    fn lasts(&self, params: &Params) -> Option<Duration> {
        params.expires_in_s.map(Duration::from_secs)
    }

    fn hold(&self, state: State, span: Option<Duration>) -> State {
        if !state.isolated {
            return state;
        }
        State { remaining_s: lasting::seconds(span), ..state }
    }

    fn holds(&self, observed: &State, wanted: &State) -> bool {
        if !wanted.isolated {
            // Nothing of ours may be left there, whatever was found before.
            return !observed.isolated && observed.noted.is_none();
        }
        observed == wanted && lasting::long_enough(observed.remaining_s, wanted.remaining_s)
    }

    fn not_checkable(&self, _params: &Params) -> Vec<String> {
        vec![
            "what reaches the host past its packet filter: its console, its hypervisor, its storage".to_owned(),
            "whether an address lease (DHCP) of the host ends while it is isolated".to_owned(),
        ]
    }

    async fn probe(&self, target: &Target, _params: &Params) -> Option<Probe> {
        self.linux.probe_stranger(target).await
    }

    async fn marks(&self, target: &Target) -> Result<Vec<Mark<Params>>, Fault> {
        let access = self.linux.access(target)?;
        let tables = self.linux.tables(&access).await?;
        let marked = tables.isolation().and_then(isolation::gate).and_then(|element| {
            let action = nft::action_of(self.linux.marker(), element.comment.as_deref()?)?.parse().ok()?;
            let expires_in_s = if isolation::is_armed(element) { None } else { lasting::asked(element.remaining_s) };
            let params = Params { keep: Vec::new(), port: SSH_PORT, expires_in_s };
            let detail = format!("the host is isolated by table {} {}", nft::FAMILY, isolation::TABLE);
            Some(Mark { action, params, detail })
        });
        Ok(marked.into_iter().collect())
    }

    fn cleared(&self, state: State) -> State {
        State {
            isolated: false,
            remaining_s: None,
            noted: state.noted.filter(|noted| *noted == Noted::Altered),
            ..state
        }
    }

    async fn end_child(&self, child: &Child) -> Result<(), Fault> {
        process::end(child).await
    }

    fn reverts_after(&self, target: &Target, _params: &Params) -> Option<Duration> {
        Some(reverts_after(target))
    }

    async fn disarm(&self, site: Site<'_>, _from: &State, to: &State, permit: Permit) -> Result<(), Fault> {
        let access = self.linux.access(site.target)?;
        let table = self.ours(&self.linux.tables(&access).await?, site.target)?;
        let Some((table, element)) = table.as_ref().zip(self.shut(table.as_ref())) else {
            return Err(Fault::Failed("the target took it back before it could be disarmed".to_owned()));
        };
        if !isolation::is_armed(element) {
            return Ok(());
        }
        let comment = nft::mark(self.linux.marker(), &permit.action().to_string());
        let batch = isolation::keep(table, lasting::timer(to.remaining_s), &comment);
        self.linux.batch(&access, &batch, Some(site.watch)).await?;
        let table = self.ours(&self.linux.tables(&access).await?, site.target)?;
        match self.shut(table.as_ref()) {
            Some(element) if !isolation::is_armed(element) => Ok(()),
            _ => Err(Fault::Failed("the target took the disarming and did not do it".to_owned())),
        }
    }

    fn proving(&self) -> Option<&dyn Proving> {
        Some(self)
    }
}

/// How long the server has to come back: what a program on this machine needs, or two cold connections and what they
/// run. A twin is there to be tried: nobody should wait for it.
fn reverts_after(target: &Target) -> Duration {
    Duration::from_secs(match target.name.split_once('/') {
        Some(("twin", _)) => 5,
        Some(("ssh", _)) => 60,
        _ => 20,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_narrow_and_canonical() {
        let parsed = |keep: &str| serde_json::from_value::<Params>(json!({"keep": [keep]}));
        for (text, read) in [
            ("192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("2001:db8::/64", "2001:db8::/64"),
        ] {
            assert_eq!(parsed(text).unwrap().keep[0].to_string(), read, "{text}");
        }
        for bad in ["0.0.0.0/0", "::/0", "10.0.0.0/8", "2001::/16", "192.0.2.7/24", "host.example", "192.0.2.７", ""] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
        let many: Vec<String> = (0..9).map(|n| format!("192.0.2.{n}")).collect();
        assert!(serde_json::from_value::<Params>(json!({"keep": many})).is_err());
    }
}
