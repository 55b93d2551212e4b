//! How a Linux host is reached: this host, a named network namespace, a running twin, or the simulator.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use ipnet::IpNet;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shieldops_model::{Clock, ControlPath, Target};
use shieldops_policy::Facts;
use shieldops_respond::{Fault, Probe, ProbeResult, Watch};

use super::{
    attached::Attached,
    exec::{self, Spawner},
    facts,
    hand::Hosts,
    look::{Look, Tables, json_of},
    nft::{self, Table, addresses},
    sim,
    sockets::{self, Connection},
    ssh::{self, Remote, Route},
    twin::{self, Twin, TwinOptions, Unavailable},
};

/// The longest name of a namespace, twin or simulator.
const MAX_NAME: usize = 64;

#[derive(Clone)]
pub struct LinuxOptions {
    /// Simulators live in `sim/` below it.
    pub data_dir: PathBuf,
    /// The installation's id: effects carry it, so that another installation's are told apart.
    pub installation: String,
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for LinuxOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinuxOptions").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// The ways to every Linux host that this process can reach.
#[derive(Debug)]
pub struct Linux {
    pub(super) with: LinuxOptions,
    pub(super) spawner: Spawner,
    /// `shieldops:` and 16 hex digits of the installation.
    marker: String,
    twins: Mutex<HashMap<String, Arc<Twin>>>,
    pub(super) attached: Mutex<HashMap<String, Attached>>,
    pub(super) sims: tokio::sync::Mutex<()>,
    pub(super) hosts: Hosts,
    /// The node whose process this is.
    node: OnceLock<String>,
}

/// One way.
#[derive(Debug, Clone)]
pub(super) enum Access {
    /// A command prefix that enters the host's network, and the resolv.conf that holds there.
    Real {
        prefix: Vec<String>,
        resolv_conf: PathBuf,
    },
    Sim(PathBuf),
    Ssh(Route),
}

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

/// A child of the program dies with us, wherever it runs.
const DIE_WITH_US: [&str; 3] = ["setpriv", "--pdeathsig", "KILL"];
const RESOLV_CONF: &str = "/etc/resolv.conf";

impl Access {
    pub(super) fn twin(pid: u32) -> Self {
        let mut prefix = words(&["nsenter", "-U", "-n", "--preserve-credentials", "-t", &pid.to_string()]);
        prefix.extend(words(&DIE_WITH_US));
        Self::Real { prefix, resolv_conf: RESOLV_CONF.into() }
    }

    fn netns(name: &str) -> Self {
        let mut prefix = words(&["nsenter", &format!("--net=/run/netns/{name}")]);
        prefix.extend(words(&DIE_WITH_US));
        let own = PathBuf::from(format!("/etc/netns/{name}/resolv.conf"));
        let resolv_conf = if own.exists() { own } else { RESOLV_CONF.into() };
        Self::Real { prefix, resolv_conf }
    }
}

impl Linux {
    pub fn new(with: LinuxOptions) -> io::Result<Arc<Self>> {
        let digest = hex::encode(Sha256::digest(with.installation.as_bytes()));
        let marker = format!("shieldops:{}", digest.chars().take(16).collect::<String>());
        Ok(Arc::new(Self {
            with,
            spawner: Spawner::new()?,
            marker,
            twins: Mutex::default(),
            attached: Mutex::default(),
            sims: tokio::sync::Mutex::default(),
            hosts: Hosts::default(),
            node: OnceLock::new(),
        }))
    }

    /// Targets that are another node's host are out of reach from now on.
    pub fn be_node(&self, node: &str) {
        if self.node.set(node.to_owned()).is_err() {
            tracing::debug!("which node this is was said already");
        }
    }

    /// What is another node's host is not here, whatever there is by its name.
    pub(super) fn is_here(&self, target: &Target) -> Result<(), Fault> {
        match (self.node.get(), &target.node) {
            (Some(own), Some(node)) if own != node && target.is_of_a_node() => Err(Fault::Elsewhere(format!(
                "{} is the host of node {node}, or on it, and this is node {own}: start the server there",
                target.name
            ))),
            _ => Ok(()),
        }
    }

    pub(super) fn marker(&self) -> &str {
        &self.marker
    }

    /// Whether a target may have this name.
    pub fn check_target_name(name: &str) -> Result<(), String> {
        let Some((kind, rest)) = name.split_once('/') else {
            return if name == "local" { Ok(()) } else { Err(want(name)) };
        };
        let letters = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        let plain = !rest.is_empty()
            && rest.len() <= MAX_NAME
            && rest.chars().all(letters)
            && !rest.starts_with('.')
            && !rest.starts_with('-');
        if plain && matches!(kind, "netns" | "ssh" | "twin" | "sim") { Ok(()) } else { Err(want(name)) }
    }

    pub(super) fn access(&self, target: &Target) -> Result<Access, Fault> {
        Self::check_target_name(&target.name).map_err(Fault::Params)?;
        self.is_here(target)?;
        match target.name.split_once('/') {
            None => Ok(Access::Real { prefix: words(&DIE_WITH_US), resolv_conf: RESOLV_CONF.into() }),
            Some(("netns", name)) => Ok(Access::netns(name)),
            Some(("twin", name)) => {
                if let Some(prefix) = self.enter_rooted(name) {
                    return Ok(Access::Real { prefix, resolv_conf: RESOLV_CONF.into() });
                }
                let inside = self.inside_network(name);
                inside.map(Access::twin).ok_or_else(|| Fault::Unavailable(format!("the twin {name} is not running")))
            }
            Some(("ssh", _)) => {
                // Whoever comes in by a key does not take it away, on this host or on any other.
                self.protect_keys(target.ssh.iter().map(|ssh| ssh.key_fingerprint.clone()));
                Route::of(target).map(Access::Ssh)
            }
            // Whether it is simulated is a property of the row; a row that denies it is not believed either.
            Some(("sim", name)) if target.simulated => {
                let folder = self.with.data_dir.join("sim");
                let folder = target.realm.map_or(folder.clone(), |realm| folder.join(realm.to_string()));
                Ok(Access::Sim(folder.join(format!("{name}.json"))))
            }
            Some(_) => Err(Fault::Refused(format!("{} is not registered as simulated", target.name))),
        }
    }

    /// How a target is reached, for an effect that leaves the way to it alone. Most are reached by a process on this
    /// machine or are a file: no packet filter is on that way.
    pub(super) fn control_path(target: &Target) -> ControlPath {
        let (via, why) = if target.name.starts_with("ssh/") {
            (
                "ssh",
                "the addresses that the connection comes from are read from the target, and a plan that reaches one is denied",
            )
        } else if target.name.starts_with("sim/") {
            ("simulator", "the target is a file of this server: nothing that is done to it can cut the way to it")
        } else {
            (
                "local process",
                "a program on this machine enters the target: no packet is on the way, so none can be dropped",
            )
        };
        ControlPath { via: via.to_owned(), at_risk: false, why: why.to_owned() }
    }

    async fn ask(&self, prefix: &[String], program: &[&str]) -> Result<Vec<u8>, Fault> {
        let mut argv = prefix.to_vec();
        argv.extend(words(program));
        let output = exec::run(&self.spawner, &argv, b"", None).await?;
        if !output.success {
            return Err(Fault::Unavailable(format!("{}: {}", program.join(" "), output.stderr)));
        }
        Ok(output.stdout)
    }

    /// Our tables, read from the target.
    pub(super) async fn tables(&self, access: &Access) -> Result<Tables, Fault> {
        let odd = |why: String| Fault::Unavailable(format!("nft: {why}"));
        let mut tables = BTreeMap::new();
        match access {
            Access::Real { prefix, .. } => {
                let listing = json_of(&self.ask(prefix, &["nft", "-j", "list", "tables"]).await?)?;
                for name in nft::tables_in(&listing).map_err(odd)? {
                    let listing =
                        json_of(&self.ask(prefix, &["nft", "-j", "list", "table", nft::FAMILY, name]).await?)?;
                    tables.insert(name, Table::parse(&listing).map_err(odd)?);
                }
            }
            Access::Ssh(route) => {
                let said = self.remote(route, Remote::Tables, b"", None).await?;
                return Tables::listed(&said.parts(1 + nft::TABLES.len())?);
            }
            Access::Sim(path) => {
                let _one_at_a_time = self.sims.lock().await;
                return Tables::simulated(&mut load(path)?, self.with.clock.now());
            }
        }
        Ok(Tables::from(tables))
    }

    /// Everything that the target's packet filter holds.
    pub(super) async fn ruleset(&self, access: &Access) -> Result<Value, Fault> {
        match access {
            Access::Real { prefix, .. } => json_of(&self.ask(prefix, &["nft", "-j", "list", "ruleset"]).await?),
            Access::Ssh(_) => Err(Fault::Refused("only stand-ins are pictured".to_owned())),
            Access::Sim(path) => {
                let _one_at_a_time = self.sims.lock().await;
                let (mut host, now) = (load(path)?, self.with.clock.now());
                let tables = nft::TABLES.into_iter().filter_map(|name| host.list(name, now));
                let objects = tables.filter_map(|listing| listing["nftables"].as_array().cloned()).flatten();
                Ok(json!({"nftables": objects.collect::<Vec<_>>()}))
            }
        }
    }

    /// Empties the packet filter of a stand-in.
    pub(super) async fn flush(&self, access: &Access) -> Result<(), Fault> {
        match access {
            Access::Real { .. } => self.batch(access, &json!({"nftables": [{"flush": {"ruleset": null}}]}), None).await,
            Access::Ssh(_) => Err(Fault::Refused("only stand-ins are emptied".to_owned())),
            Access::Sim(path) => {
                let _one_at_a_time = self.sims.lock().await;
                let mut host = load(path)?;
                host.flush();
                host.save(path).map_err(|error| Fault::Unavailable(format!("{}: {error}", path.display())))
            }
        }
    }

    /// The connections of the target that are up.
    pub(super) async fn connections(&self, access: &Access) -> Result<Vec<Connection>, Fault> {
        match access {
            Access::Real { prefix, .. } => {
                let said = self.ask(prefix, &["ss", "-Htun"]).await?;
                Ok(sockets::parse(&String::from_utf8_lossy(&said)))
            }
            Access::Ssh(route) => Ok(ssh::look(&self.remote(route, Remote::Look, b"", None).await?)?.connections),
            Access::Sim(path) => Ok(load(path)?.connections),
        }
    }

    /// All of it at once: over SSH, by one connection.
    pub(super) async fn look(&self, access: &Access) -> Result<Look, Fault> {
        if let Access::Ssh(route) = access {
            return ssh::look(&self.remote(route, Remote::Look, b"", None).await?);
        }
        if let Access::Sim(path) = access {
            let _one_at_a_time = self.sims.lock().await;
            let mut host = load(path)?;
            let tables = Tables::simulated(&mut host, self.with.clock.now())?;
            return Ok(Look { tables, facts: host.facts, connections: host.connections, way: None });
        }
        let (tables, facts, connections) =
            tokio::try_join!(self.tables(access), self.facts(access), self.connections(access))?;
        Ok(Look { tables, facts, connections, way: None })
    }

    /// Gives nft one batch. That nft took it is not evidence of anything.
    pub(super) async fn batch(&self, access: &Access, batch: &Value, watch: Option<&dyn Watch>) -> Result<(), Fault> {
        match access {
            Access::Real { prefix, .. } => {
                let mut argv = prefix.clone();
                argv.extend(words(&["nft", "-j", "-f", "-"]));
                let output = exec::run(&self.spawner, &argv, batch.to_string().as_bytes(), watch).await?;
                if output.success { Ok(()) } else { Err(Fault::Failed(format!("nft: {}", output.stderr))) }
            }
            Access::Ssh(route) => {
                self.remote(route, Remote::Batch, batch.to_string().as_bytes(), watch).await.map(|_| ())
            }
            Access::Sim(path) => {
                let _one_at_a_time = self.sims.lock().await;
                let mut host = load(path)?;
                host.apply(batch, self.with.clock.now())
                    .map_err(|why| Fault::Failed(format!("simulated nft: {why}")))?;
                host.save(path).map_err(|error| Fault::Unavailable(format!("{}: {error}", path.display())))
            }
        }
    }

    /// The addresses that the target must not lose.
    pub(super) async fn facts(&self, access: &Access) -> Result<Facts, Fault> {
        let (prefix, resolv_conf) = match access {
            Access::Real { prefix, resolv_conf } => (prefix, resolv_conf),
            Access::Sim(path) => return Ok(load(path)?.facts),
            Access::Ssh(route) => return Ok(ssh::look(&self.remote(route, Remote::Look, b"", None).await?)?.facts),
        };
        let odd = |error: serde_json::Error| Fault::Unavailable(format!("ip: {error}"));
        let (addresses, routes, routes6) = tokio::try_join!(
            self.ask(prefix, &["ip", "-j", "addr"]),
            self.ask(prefix, &["ip", "-j", "route"]),
            self.ask(prefix, &["ip", "-j", "-6", "route"]),
        )?;
        let own_addresses = facts::own_addresses(&addresses).map_err(odd)?;
        let mut gateways = facts::gateways(&routes).map_err(odd)?;
        gateways.extend(facts::gateways(&routes6).map_err(odd)?);
        let resolv = match fs::read_to_string(resolv_conf) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Fault::Unavailable(format!("{}: {error}", resolv_conf.display()))),
        };
        Ok(Facts {
            own_addresses,
            gateways: facts::tidy(gateways),
            dns_servers: facts::dns_servers(&resolv),
            ..Facts::default()
        })
    }

    /// A real connection from the address that is to be blocked, where there is somebody to make it.
    pub(super) async fn probe(&self, target: &Target, from: IpAddr) -> Option<Probe> {
        if let Ok(Access::Sim(path)) = self.access(target) {
            let _one_at_a_time = self.sims.lock().await;
            let admitted = load(&path).ok()?.admits(from, twin::PORT, self.with.clock.now());
            let result = if admitted { ProbeResult::Reachable } else { ProbeResult::Refused };
            return Some(Probe { result, detail: "simulated: no packet was sent".to_owned() });
        }
        let twin = self.twin(target.name.strip_prefix("twin/")?)?;
        if !twin.speaks_from(from) {
            return None;
        }
        let unknown = |why: String| Probe { result: ProbeResult::Unknown, detail: why };
        Some(
            tokio::task::spawn_blocking(move || twin.probe_from(from))
                .await
                .unwrap_or_else(|error| unknown(error.to_string())),
        )
    }

    /// The same from an address in this range that somebody can speak from.
    pub(super) async fn probe_within(&self, target: &Target, range: IpNet) -> Option<Probe> {
        if target.name.starts_with("sim/") {
            return self.probe(target, range.addr()).await;
        }
        let speaker = self.twin(target.name.strip_prefix("twin/")?)?.speaker_in(range)?;
        self.probe(target, speaker).await
    }

    /// The same from somebody whom nothing lets in.
    pub(super) async fn probe_stranger(&self, target: &Target) -> Option<Probe> {
        let simulated = || Some(IpAddr::from([203, 0, 113, 66]));
        let named = target.name.strip_prefix("twin/");
        let stranger = named.map_or_else(simulated, |name| Some(self.twin(name)?.attacker()))?;
        self.probe(target, stranger).await
    }

    pub fn twin(&self, name: &str) -> Option<Arc<Twin>> {
        let twins = self.twins.lock().unwrap_or_else(PoisonError::into_inner);
        twins.get(name).filter(|twin| twin.runs()).map(Arc::clone)
    }

    /// Starts a twin and tries on it all that a block needs: namespaces alone do not promise that nft works.
    pub async fn start_twin(self: &Arc<Self>, options: TwinOptions) -> Result<Arc<Twin>, Unavailable> {
        let unavailable = |why: String| Unavailable { why };
        let name = options.name.clone();
        Self::check_target_name(&format!("twin/{name}")).map_err(unavailable)?;
        self.stop_twin(&name);
        let data_dir = self.with.data_dir.clone();
        let started = tokio::task::spawn_blocking(move || Twin::start(&data_dir, &options)).await;
        let twin = Arc::new(started.map_err(|error| unavailable(error.to_string()))??);
        self.rehearse(&twin)
            .await
            .map_err(|fault| unavailable(format!("nft does not work in a twin here: {fault}")))?;
        self.twins.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::clone(&twin));
        Ok(twin)
    }

    /// The whole batch, read back, undone, read back.
    async fn rehearse(&self, twin: &Twin) -> Result<(), Fault> {
        let access = Access::twin(twin.process_id());
        let address = IpAddr::from([192, 0, 2, 1]);
        let wrong = || Fault::Unavailable("nft took a batch and did not do it".to_owned());
        let comment = nft::mark(&self.marker, "rehearsal");
        self.batch(&access, &addresses::block(&self.marker, None, address, Some(60), &comment), None).await?;
        let tables = self.tables(&access).await?;
        let table = tables
            .addresses()
            .filter(|table| {
                let whole = table.intact(&addresses::layout(&self.marker), &self.marker);
                whole && addresses::find(table, address).is_some()
            })
            .ok_or_else(wrong)?;
        self.batch(&access, &addresses::unblock(&self.marker, table, address), None).await?;
        if self.tables(&access).await?.addresses().is_some() { Err(wrong()) } else { Ok(()) }
    }

    pub fn stop_twin(&self, name: &str) {
        let twin = self.twins.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(twin) = twin {
            twin.stop();
        }
    }

    pub fn stop_twins(&self) {
        self.stop_rooted_twins();
        let twins: Vec<Arc<Twin>> =
            self.twins.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, twin)| twin).collect();
        for twin in twins {
            twin.stop();
        }
    }
}

fn want(name: &str) -> String {
    format!(
        "`{name}`: want `local`, `ssh/<name>`, `netns/<name>`, `twin/<name>` or `sim/<name>`, the name of up to {MAX_NAME} letters, digits, `-`, `_`, `.`"
    )
}

fn load(path: &std::path::Path) -> Result<sim::Host, Fault> {
    sim::Host::load(path).map_err(|error| Fault::Unavailable(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for good in ["local", "netns/blue", "twin/demo", "sim/a.b-c_1"] {
            Linux::check_target_name(good).unwrap();
        }
        for bad in
            ["", "here", "netns/", "netns/../x", "sim/a/b", "twin/-t", "sim/.hidden", "vm/x", "netns/a b", "sim/\0"]
        {
            assert!(Linux::check_target_name(bad).is_err(), "{bad}");
        }
        assert!(Linux::check_target_name(&format!("sim/{}", "a".repeat(MAX_NAME + 1))).is_err());
    }
}
