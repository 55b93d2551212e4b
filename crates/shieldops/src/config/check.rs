//! `Raw` to `Settings`: every rule about a value, and what to write instead.

mod outbound;

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use jiff::tz::TimeZone;
use shieldops_model::tenant::SettingsBase;
use shieldops_store::rule_states::State;

use super::{DatabaseUrl, Problem, Raw, Role, Roles, raw, settings};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

struct Checker<'a> {
    problems: Vec<Problem>,
    warnings: &'a mut Vec<String>,
}

/// The settings, or nothing and every problem.
pub(super) fn check(
    raw: &Raw,
    crash_at: Option<String>,
    warnings: &mut Vec<String>,
) -> (Option<settings::Settings>, Vec<Problem>) {
    let mut checker = Checker { problems: Vec::new(), warnings };
    let settings = checker.settings(raw, crash_at);
    let problems = checker.problems;
    (settings.filter(|_| problems.is_empty()), problems)
}

impl Checker<'_> {
    fn settings(&mut self, raw: &Raw, crash_at: Option<String>) -> Option<settings::Settings> {
        if raw.data_dir.as_os_str().is_empty() {
            self.wrong("data_dir", "", "empty", "name the folder that holds the state, for example /var/lib/shieldops");
        }
        let listen = self.address("listen", &raw.listen);
        let roles = self.roles(raw);
        let public_url = self.public_url(raw.public_url.as_deref());
        self.database(raw.database.url.as_ref());
        let tls = self.tls(&raw.tls);
        let log = self.log(&raw.log);
        for dir in raw.rules.dirs.iter().filter(|dir| !dir.is_dir()) {
            self.warnings
                .push(format!("rules.dirs: {} is no folder now; its rules are loaded once it is there", dir.display()));
        }
        for file in raw.intel.indicator_files.iter().filter(|file| !file.is_file()) {
            self.warnings.push(format!(
                "intel.indicator_files: {} is no file now; it is loaded once it is there",
                file.display()
            ));
        }
        let bus = self.bus(&raw.bus);
        let ingest = self.ingest(&raw.ingest, bus.retention);
        let detect = settings::Detect {
            dedupe_window: self.seconds("detect.dedupe_window_s", raw.detect.dedupe_window_s, 1, 86_400),
        };
        let investigate = self.investigate(&raw.investigate);
        Some(settings::Settings {
            file: None,
            data_dir: raw.data_dir.clone(),
            listen: listen?,
            behind_proxy: raw.behind_proxy,
            trusted_proxies: self.proxies(raw),
            roles,
            public_url,
            database: raw.database.url.clone(),
            keys_dir: raw.keys.dir.clone(),
            limits: raw.limits.enabled,
            base: self.base(raw),
            tls,
            log: log?,
            rules: self.rules(&raw.rules),
            intel: settings::Intel { indicator_files: raw.intel.indicator_files.clone() },
            bus,
            ingest: ingest?,
            detect,
            investigate,
            smtp: self.smtp(&raw.smtp),
            egress: self.egress(&raw.egress),
            crash_at,
        })
    }

    fn rules(&mut self, raw: &raw::Rules) -> settings::Rules {
        let state = State::parse(&raw.dirs_state).filter(|state| *state != State::Retired);
        if state.is_none() {
            self.wrong("rules.dirs_state", &raw.dirs_state, "no such state", "write enabled, shadow or draft");
        }
        for dir in raw.pipelines.iter().filter(|dir| !dir.is_dir()) {
            let dir = dir.display();
            self.warnings
                .push(format!("rules.pipelines: {dir} is no folder now; its pipelines are loaded once it is there"));
        }
        for name in &raw.mappings_off {
            if shieldops_detect::FieldMap::mappings().all(|(known, _)| known != name) {
                let names: Vec<&str> = shieldops_detect::FieldMap::mappings().map(|(name, _)| name).collect();
                let fix = format!("the mappings are {}", names.join(", "));
                self.wrong("rules.mappings_off", name, "no such mapping", &fix);
            }
        }
        settings::Rules {
            dirs: raw.dirs.clone(),
            state: state.unwrap_or_default(),
            pipelines: raw.pipelines.clone(),
            mappings_off: raw.mappings_off.clone(),
        }
    }

    /// Whose word about a client's address counts.
    fn proxies(&mut self, raw: &raw::Raw) -> Vec<IpNet> {
        const KEY: &str = "trusted_proxies";
        let mut found = Vec::new();
        for text in &raw.trusted_proxies {
            let network =
                text.parse::<IpNet>().ok().or_else(|| Some(text.parse::<IpAddr>().ok()?.to_canonical().into()));
            match network {
                Some(network) if network.prefix_len() == 0 => {
                    let fix = "name the proxies themselves: anybody could say to be anywhere";
                    self.wrong(KEY, text, "every address", fix);
                }
                Some(network) => found.push(network.trunc()),
                None => self.wrong(KEY, text, "no address and no range", "write 10.1.2.3 or 10.1.0.0/16"),
            }
        }
        match (raw.behind_proxy, raw.trusted_proxies.is_empty()) {
            (true, true) => self
                .warnings
                .push("behind_proxy: without trusted_proxies everybody is seen at the address of the proxy".to_owned()),
            (false, false) => {
                self.warnings.push("trusted_proxies: without behind_proxy they are not believed".to_owned());
                found.clear();
            }
            _ => {}
        }
        found
    }

    fn roles(&mut self, raw: &raw::Raw) -> Roles {
        let known = "write ingest, detect, respond and api, or those of them that this process has";
        for name in raw.roles.iter().filter(|name| Role::parse(name).is_none()) {
            self.wrong("roles", name, "no such role", known);
        }
        let roles = Roles(raw.roles.iter().filter_map(|name| Role::parse(name)).collect());
        if raw.roles.is_empty() {
            self.wrong("roles", "[]", "a process without a role does nothing", known);
        }
        if roles.has(Role::Ingest) != roles.has(Role::Detect) {
            let fix = "give this process both, or neither";
            self.wrong("roles", &roles, "ingest and detect share the log of events, which one process holds", fix);
        }
        if raw.database.url.is_none() && roles.0.len() < Role::ALL.len() {
            self.warnings
                .push(format!("roles = {roles}: without database.url no other process can have the other roles"));
        }
        let sources = raw.ingest.syslog != raw::Syslog::default()
            || !raw.ingest.files.is_empty()
            || raw.ingest.journal
            || raw.ingest.journal_file.is_some();
        if sources && !roles.has(Role::Ingest) {
            self.warnings.push("ingest: this process has no role ingest and reads none of its sources".to_owned());
        }
        roles
    }

    /// What tenants inherit.
    fn base(&mut self, raw: &raw::Raw) -> SettingsBase {
        let (limits, sessions) = (&raw.limits, &raw.sessions);
        let numbers = [
            ("limits.interactive_per_s", limits.interactive_per_s, 100_000),
            ("limits.burst", limits.burst, 1_000_000),
            ("limits.batch_per_s", limits.batch_per_s, 10_000),
            ("sessions.idle_minutes", sessions.idle_minutes, 1_440),
            ("sessions.hours", sessions.hours, 720),
            ("sessions.token_days", sessions.token_days, 3_650),
        ];
        for (key, value, most) in numbers {
            self.range(key, value.into(), 1, most);
        }
        self.range("limits.ingest_bytes_per_s", limits.ingest_bytes_per_s, 1_024, GIB * 16);
        SettingsBase {
            require_second_factor: sessions.require_second_factor,
            session_idle_minutes: sessions.idle_minutes,
            session_hours: sessions.hours,
            token_days: sessions.token_days,
            interactive_per_s: limits.interactive_per_s,
            burst: limits.burst,
            batch_per_s: limits.batch_per_s,
            ingest_bytes_per_s: limits.ingest_bytes_per_s,
            ..SettingsBase::default()
        }
    }

    fn public_url(&mut self, text: Option<&str>) -> Option<String> {
        let text = text?.trim_end_matches('/');
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.contains(['/', '?', '#', '@', ' '])) {
            let fix = "write scheme and host, and a port if need be: https://shieldops.example.org";
            self.wrong("public_url", text, "not the address of a site", fix);
        }
        Some(text.to_owned())
    }

    fn database(&mut self, url: Option<&DatabaseUrl>) {
        if let Some((url, fault)) = url.and_then(|url| Some((url, url.fault()?))) {
            self.wrong("database.url", url, fault, "write it as postgres://user:password@host:5432/shieldops");
        }
    }

    fn tls(&mut self, raw: &raw::Tls) -> Option<settings::CertFiles> {
        match (&raw.cert_file, &raw.key_file) {
            (Some(cert), Some(key)) => {
                self.readable("tls.cert_file", cert);
                self.readable("tls.key_file", key);
                Some(settings::CertFiles { cert: cert.clone(), key: key.clone() })
            }
            (None, None) => None,
            (Some(_), None) => {
                self.wrong(
                    "tls.key_file",
                    "absent",
                    "tls.cert_file needs its key",
                    "set tls.key_file, or remove tls.cert_file",
                );
                None
            }
            (None, Some(_)) => {
                self.wrong(
                    "tls.cert_file",
                    "absent",
                    "tls.key_file needs its certificate",
                    "set tls.cert_file, or remove tls.key_file",
                );
                None
            }
        }
    }

    fn readable(&mut self, key: &str, path: &Path) {
        if let Err(error) = std::fs::File::open(path) {
            self.wrong(key, path.display(), &error.to_string(), "name a PEM file that this user can read");
        }
    }

    fn log(&mut self, raw: &raw::Log) -> Option<settings::Log> {
        let level = match raw.level.as_str() {
            "error" => Some(tracing::Level::ERROR),
            "warn" => Some(tracing::Level::WARN),
            "info" => Some(tracing::Level::INFO),
            "debug" => Some(tracing::Level::DEBUG),
            "trace" => Some(tracing::Level::TRACE),
            other => {
                self.wrong("log.level", other, "no such level", "write error, warn, info, debug or trace");
                None
            }
        };
        let format = match raw.format.as_str() {
            "text" => Some(settings::LogFormat::Text),
            "json" => Some(settings::LogFormat::Json),
            other => {
                self.wrong("log.format", other, "no such format", "write text or json");
                None
            }
        };
        Some(settings::Log { level: level?, format: format? })
    }

    fn bus(&mut self, raw: &raw::Bus) -> settings::Bus {
        self.range("bus.segment_bytes", raw.segment_bytes, MIB, GIB);
        self.range("bus.max_bytes", raw.max_bytes, 64 * MIB, u64::MAX >> 1);
        if raw.max_bytes / 2 < raw.segment_bytes {
            let fix = "make it at least twice bus.segment_bytes, or make segments smaller";
            self.wrong("bus.max_bytes", raw.max_bytes, "less than two segments", fix);
        }
        self.range("bus.retention_hours", raw.retention_hours, 1, 24 * 3_660);
        let retention = Duration::from_secs(raw.retention_hours.saturating_mul(3_600));
        settings::Bus { max_bytes: raw.max_bytes, retention, segment_bytes: raw.segment_bytes }
    }

    fn ingest(&mut self, raw: &raw::Ingest, retention: Duration) -> Option<settings::Ingest> {
        self.range("ingest.max_body_bytes", raw.max_body_bytes, 1_024, 32 * MIB);
        // A body of the largest size with as many events as it may hold has room.
        self.range("ingest.memory_bytes", raw.memory_bytes, 192 * MIB, 1 << 40);
        self.range("ingest.dead_letter_bytes", raw.dead_letter_bytes, 16 * MIB, 1 << 40);
        self.range("ingest.max_event_bytes", raw.max_event_bytes, 1_024, 8 * MIB);
        if raw.max_event_bytes > raw.max_body_bytes {
            self.wrong(
                "ingest.max_event_bytes",
                raw.max_event_bytes,
                "more than a body may have",
                "make it at most ingest.max_body_bytes",
            );
        }
        let zone = TimeZone::get(&raw.timezone);
        if zone.is_err() {
            self.wrong(
                "ingest.timezone",
                &raw.timezone,
                "no such time zone",
                "write UTC or an IANA name such as Europe/Berlin",
            );
        }
        let syslog = settings::Syslog {
            udp: self.optional_address("ingest.syslog.udp", raw.syslog.udp.as_deref()),
            tcp: self.optional_address("ingest.syslog.tcp", raw.syslog.tcp.as_deref()),
            tls: self.optional_address("ingest.syslog.tls", raw.syslog.tls.as_deref()),
        };
        if syslog.tcp.is_some() && syslog.tcp == syslog.tls && syslog.tcp.is_some_and(|address| address.port() != 0) {
            self.wrong(
                "ingest.syslog.tls",
                raw.syslog.tls.as_deref().unwrap_or_default(),
                "taken by ingest.syslog.tcp",
                "choose another port, usually 6514",
            );
        }
        for file in raw.files.iter().filter(|file| file.path.as_os_str().is_empty()) {
            self.wrong("ingest.files", format!("{file:?}"), "a path is empty", "name the file to follow");
        }
        if let Some(file) = raw.journal_file.as_ref().filter(|file| !file.exists()) {
            self.wrong(
                "ingest.journal_file",
                file.display(),
                "no such file",
                "name a journal file, or remove the setting",
            );
        }
        let follow =
            |file: &raw::Follow| settings::Follow { path: PathBuf::clone(&file.path), source: file.source.clone() };
        Some(settings::Ingest {
            max_body_bytes: usize::try_from(raw.max_body_bytes).ok()?,
            max_event_bytes: usize::try_from(raw.max_event_bytes).ok()?,
            memory_bytes: usize::try_from(raw.memory_bytes).ok()?,
            dead_letter_bytes: raw.dead_letter_bytes,
            syslog,
            files: raw.files.iter().map(follow).collect(),
            journal: raw.journal,
            journal_file: raw.journal_file.clone(),
            zone: zone.ok()?,
            retention,
        })
    }

    fn investigate(&mut self, raw: &raw::Investigate) -> settings::Investigate {
        let revise_after = self.seconds("investigate.revise_after_s", raw.revise_after_s, 1, 3_600);
        let revise_within = self.seconds("investigate.revise_within_s", raw.revise_within_s, 1, 86_400);
        if revise_within < revise_after {
            let fix = "make it at least investigate.revise_after_s";
            self.wrong("investigate.revise_within_s", raw.revise_within_s, "shorter than the wait after a change", fix);
        }
        settings::Investigate { revise_after, revise_within }
    }

    fn address(&mut self, key: &str, text: &str) -> Option<SocketAddr> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.wrong(key, text, "not an address and port", "write it as 127.0.0.1:8420, 0.0.0.0:8420 or [::]:8420");
        }
        parsed
    }

    fn optional_address(&mut self, key: &str, text: Option<&str>) -> Option<SocketAddr> {
        self.address(key, text?)
    }

    fn seconds(&mut self, key: &str, value: u64, least: u64, most: u64) -> Duration {
        self.range(key, value, least, most);
        Duration::from_secs(value)
    }

    fn range(&mut self, key: &str, value: u64, least: u64, most: u64) {
        if !(least..=most).contains(&value) {
            self.wrong(key, value, "out of range", &format!("write a number from {least} to {most}"));
        }
    }

    fn wrong(&mut self, key: &str, value: impl Display, what: &str, fix: &str) {
        let (key, what, fix) = (key.to_owned(), what.to_owned(), fix.to_owned());
        self.problems.push(Problem { key, value: value.to_string(), what, fix });
    }
}
