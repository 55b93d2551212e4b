//! Alerts for tests: single rows, and the alerts of an attack like the recorded one.

use shieldops_model::{Alert, AlertId, AlertStatus, Attack, Entity, EntityKind, EventId, Severity, Timestamp};

/// 2026-11-21T10:00:00Z.
pub(crate) const START: i64 = 1_795_255_200;

/// An alert of `rule`, `second` seconds into the test.
pub(crate) fn alert(rule: &str, severity: Severity, second: i64) -> Alert {
    let time = Timestamp::from_secs(START + second);
    let number = rule.bytes().fold(u128::try_from(second).unwrap_or(0), |id, byte| id * 257 + u128::from(byte));
    Alert {
        id: AlertId::from_bits(number),
        rule_id: rule.into(),
        rule_title: format!("Rule {rule}"),
        rule_version: "0123456789ab".into(),
        severity,
        status: AlertStatus::New,
        verdict: None,
        verdict_reason: None,
        fingerprint: "00".repeat(32),
        window_start: time,
        first_seen: time,
        last_seen: time,
        count: 1,
        entities: Vec::new(),
        attack: Attack::default(),
        event_ids: vec![EventId::from_bits(number)],
        incident_id: None,
        assignee: None,
        risk_score: 0,
        risk_terms: Vec::new(),
        demo: false,
        superseded: false,
        created_at: time,
        updated_at: time,
        version: 1,
    }
}

pub(crate) fn with(mut alert: Alert, tactics: &[&str], techniques: &[&str], entities: &[Entity]) -> Alert {
    alert.attack.tactics = tactics.iter().map(|text| (*text).to_owned()).collect();
    alert.attack.techniques = techniques.iter().map(|text| (*text).to_owned()).collect();
    alert.entities = entities.to_vec();
    alert.entities.sort();
    alert
}

pub(crate) fn ip(value: &str) -> Entity {
    Entity::new(EntityKind::Ip, value)
}

pub(crate) fn host(value: &str) -> Entity {
    Entity::new(EntityKind::Host, value)
}

pub(crate) fn user(value: &str) -> Entity {
    Entity::new(EntityKind::User, value)
}

/// Web probing, a spray, the sign-in and what followed: the audit records name no address.
pub(crate) fn attack_alerts() -> Vec<Alert> {
    let (attacker, web) = (ip("203.0.113.66"), host("web-01"));
    let from = [attacker.clone(), web.clone()];
    let sprayed = [attacker.clone(), web.clone(), user("admin"), user("deploy"), user("oracle"), user("test")];
    let signed_in = [attacker, web.clone(), user("deploy")];
    let as_deploy = [web.clone(), user("deploy")];
    let as_root = [web, user("root")];
    let mut spray = with(alert("spray", Severity::Medium, 60), &["credential-access"], &["T1110.003"], &sprayed);
    spray.count = 120;
    vec![
        with(alert("sqli", Severity::Medium, 0), &["initial-access"], &["T1190"], &from),
        spray,
        with(alert("sign-in", Severity::High, 180), &["initial-access", "persistence"], &["T1078"], &signed_in),
        with(alert("recon", Severity::Low, 200), &["discovery"], &["T1033"], &as_deploy),
        with(alert("download", Severity::High, 230), &["command-and-control"], &["T1105"], &as_deploy),
        with(alert("cron", Severity::High, 260), &["persistence"], &["T1053.003"], &as_root),
    ]
}
