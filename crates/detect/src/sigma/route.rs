//! Which rules see an event: decided by the log source alone, which is metadata and never a field of the event.

use shieldops_model::LogSource;

use super::rule::RuleSource;

/// Services whose lines reach the `auth` facility of syslog: rules for `service: auth` see them.
const AUTH: [&str; 12] = [
    "auth",
    "sshd",
    "sudo",
    "su",
    "login",
    "pam",
    "useradd",
    "usermod",
    "groupadd",
    "passwd",
    "chpasswd",
    "systemd-logind",
];

/// Linux services that do not come by syslog: rules for `service: syslog` do not see them.
const NOT_SYSLOG: [&str; 4] = ["auditd", "sysmon", "osquery", "falco"];

/// The words that are looked for as they are written.
pub(crate) fn words() -> impl Iterator<Item = &'static str> {
    AUTH.into_iter().chain(NOT_SYSLOG).chain(["linux", "auth", "syslog", "ldap", "ldap_debug"])
}

/// Whether a rule for `rule` sees events of `event`. What the rule does not name is open; `groups`: whether the services
/// that log to a service belong to it.
pub(crate) fn sees(rule: &RuleSource, event: &LogSource, groups: bool) -> bool {
    rule.product.as_ref().is_none_or(|product| is_same(event.product.as_ref(), product))
        && rule
            .category
            .as_ref()
            .is_none_or(|wanted| event.categories.iter().any(|have| have.eq_ignore_ascii_case(wanted)))
        && rule.service.as_ref().is_none_or(|service| serves(service, event, groups))
}

fn is_same(have: Option<&String>, wanted: &str) -> bool {
    have.is_some_and(|have| have.eq_ignore_ascii_case(wanted))
}

/// Whether an event's service is the rule's, or a member of it.
fn serves(wanted: &str, event: &LogSource, groups: bool) -> bool {
    let Some(have) = &event.service else { return false };
    if have.eq_ignore_ascii_case(wanted) {
        return true;
    }
    let linux = groups && event.product.as_deref() == Some("linux");
    match wanted {
        "auth" => linux && AUTH.contains(&have.as_str()),
        "syslog" => linux && !NOT_SYSLOG.contains(&have.as_str()),
        // One channel with two names in the taxonomy.
        "ldap_debug" => have == "ldap",
        "ldap" => have == "ldap_debug",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> LogSource {
        let mut parts = text.split('/').map(|part| (!part.is_empty()).then(|| part.to_owned()));
        let product = parts.next().flatten();
        let categories = parts.next().flatten().map_or(Vec::new(), |all| all.split(',').map(str::to_owned).collect());
        LogSource { product, categories, service: parts.next().flatten() }
    }

    fn rule(text: &str) -> RuleSource {
        let LogSource { product, categories, service } = event(text);
        RuleSource { product, category: categories.into_iter().next(), service }
    }

    #[test]
    fn a_rule_sees_the_sources_that_it_names_and_every_source_where_it_names_none() {
        let table = [
            ("/webserver/", "nginx/webserver/nginx", true),
            ("/webserver/", "/webserver/", true),
            ("/webserver/", "linux//sshd", false),
            ("linux//", "linux//sshd", true),
            ("linux//", "linux/process_creation/", true),
            ("linux//", "windows//security", false),
            ("linux//", "/webserver/", false),
            ("//sshd", "linux//sshd", true),
            ("linux//auth", "linux//sshd", true),
            ("linux//auth", "linux//sudo", true),
            ("linux//auth", "linux//cron", false),
            ("linux//auth", "linux//auditd", false),
            ("linux//syslog", "linux//cron", true),
            ("linux//syslog", "linux//auditd", false),
            ("linux//sshd", "linux//auth", false),
            ("windows/registry_set/", "windows/registry_set,registry_event/sysmon", true),
            ("windows/registry_event/", "windows/registry_set,registry_event/sysmon", true),
            ("windows/process_creation/", "windows/registry_set,registry_event/sysmon", false),
            ("windows//sysmon", "windows/registry_set,registry_event/sysmon", true),
            ("windows//security", "windows/process_creation/sysmon", false),
            ("windows//ldap_debug", "windows//ldap", true),
            ("aws//cloudtrail", "AWS//CloudTrail", true),
            ("linux//", "//", false),
        ];
        for (wanted, have, expected) in table {
            assert_eq!(sees(&rule(wanted), &event(have), true), expected, "{wanted} on {have}");
        }
        assert!(!sees(&rule("linux//auth"), &event("linux//sshd"), false));
    }
}
