//! What OpenSSH's server says: logons, refusals, disconnects.
//!
//! User names come from the attacker and may hold ` from 192.0.2.1 port 1`, so the address is always the last one.

use std::net::IpAddr;

use super::{
    class::{Class, Kind, PREAUTH},
    flat::{Field, Flat},
    pam,
};

/// Adds the fields of a message and says what it is.
pub fn read<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    let message = message.trim_start_matches("error: ").trim_start_matches("fatal: ");
    if let Some(inner) = repeated(message, flat) {
        return read(inner, flat);
    }
    if let Some(kind) = pam::read(message, flat) {
        return Some(pam::decided_elsewhere(kind));
    }
    attempt(message, flat).or_else(|| session(message, flat)).or_else(|| notice(message, flat))
}

/// Whether a bare message, without any header, is surely sshd's.
pub fn is_message(text: &str) -> bool {
    let starts = [
        "Failed password for ",
        "Failed publickey for ",
        "Failed none for ",
        "Accepted password for ",
        "Accepted publickey for ",
        "Invalid user ",
        "pam_unix(sshd:",
        "Connection closed by authenticating user ",
        "Connection closed by invalid user ",
        "Disconnected from ",
        "Received disconnect from ",
    ];
    starts.iter().any(|start| text.starts_with(start))
}

/// `message repeated 2 times: [ Failed ...]`, as rsyslog folds equal lines.
fn repeated<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<&'a str> {
    let (times, inner) = message.strip_prefix("message repeated ")?.split_once(" times: [")?;
    flat.put("repeated", Field::Int(times.parse().ok()?));
    Some(inner.strip_suffix(']').unwrap_or(inner).trim_start())
}

/// `Failed|Accepted|Postponed METHOD for [invalid user] USER from ADDRESS port PORT ...`.
fn attempt<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    let (word, rest) = message.split_once(' ')?;
    let outcome = match word {
        "Accepted" => Some("success"),
        "Failed" => Some("failure"),
        "Postponed" => None,
        _ => return None,
    };
    let (method, rest) = rest.split_once(" for ")?;
    let end = endpoint(rest)?;
    put_user(end.before.strip_suffix(" from").unwrap_or(end.before), flat);
    put_source(&end, flat);
    flat.put_text("auth_method", method.split('/').next().unwrap_or(method));
    if let Some(outcome) = outcome {
        flat.put_text("outcome", outcome);
    }
    Some((Class::Authentication, if method == "none" { PREAUTH } else { "Logon" }))
}

/// Lines that end one try or one session: they name the user but judge nothing new, except where they say so.
fn session<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    const STARTS: [(&str, bool, &str); 9] = [
        ("Invalid user ", true, PREAUTH),
        ("Illegal user ", true, PREAUTH),
        ("maximum authentication attempts exceeded for ", true, PREAUTH),
        ("Disconnecting ", false, "Logoff"),
        ("Connection closed by ", false, "Logoff"),
        ("Connection reset by ", false, "Logoff"),
        ("Disconnected from ", false, "Logoff"),
        ("Received disconnect from ", false, "Logoff"),
        ("Starting session: ", false, "Session"),
    ];
    let (start, rest, failed, activity) = STARTS
        .into_iter()
        .find_map(|(start, failed, activity)| Some((start, message.strip_prefix(start)?, failed, activity)))?;
    let end = endpoint(rest)?;
    let named = end.before.strip_suffix(" from").unwrap_or(end.before);
    match start {
        "Invalid user " | "Illegal user " => {
            flat.put("invalid_user", Field::Bool(true));
            put_name(named, flat);
        }
        "Starting session: " => {
            if let Some((_, user)) = named.rsplit_once(" for ") {
                put_name(user, flat);
            }
        }
        _ => put_user(named, flat),
    }
    put_source(&end, flat);
    if failed {
        flat.put_text("outcome", "failure");
    }
    Some((Class::Authentication, activity))
}

/// `User bob from 192.0.2.1 not allowed because ...`, and any other line with an address and a port.
fn notice<'a>(message: &'a str, flat: &mut Flat<'a>) -> Option<Kind> {
    if let Some((subject, _)) = message.strip_prefix("User ").and_then(|rest| rest.split_once(" not allowed because "))
    {
        let (user, address) = subject.rsplit_once(" from ").unwrap_or((subject, ""));
        put_name(user, flat);
        if let Some(address) = parse_address(address) {
            flat.put_text("src_ip", address.to_string());
        }
        flat.put_text("outcome", "failure");
        return Some((Class::Authentication, "Logon"));
    }
    let first = message.split_once(" on ").map_or(message, |(first, _)| first);
    if let Some(end) = endpoint(first).or_else(|| endpoint(message)) {
        put_source(&end, flat);
        return Some((Class::Network, "Open"));
    }
    let (_, rest) = message.strip_prefix("reverse mapping checking getaddrinfo for ")?.split_once('[')?;
    let address = parse_address(rest.split_once(']')?.0)?;
    flat.put_text("src_ip", address.to_string());
    Some((Class::Network, "Open"))
}

struct Endpoint<'a> {
    before: &'a str,
    address: IpAddr,
    port: &'a str,
}

/// The last `ADDRESS port PORT` of a text.
fn endpoint(text: &str) -> Option<Endpoint<'_>> {
    let mut head = text;
    while let Some((left, right)) = head.rsplit_once(" port ") {
        let (before, word) = left.rsplit_once(' ').unwrap_or(("", left));
        let end = right.bytes().take_while(u8::is_ascii_digit).count();
        let port = right.get(..end).filter(|port| !port.is_empty() && port.len() <= 5);
        if let (Some(address), Some(port)) = (parse_address(word), port) {
            return Some(Endpoint { before, address, port });
        }
        head = left;
    }
    None
}

fn parse_address(word: &str) -> Option<IpAddr> {
    let word = word.split_once('%').map_or(word, |(address, _)| address);
    word.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn put_source<'a>(end: &Endpoint<'a>, flat: &mut Flat<'a>) {
    flat.put_text("src_ip", end.address.to_string());
    flat.put("src_port", Field::scalar(end.port));
}

/// `[invalid user|authenticating user|user] NAME`; nothing where no name is given.
fn put_user<'a>(text: &'a str, flat: &mut Flat<'a>) {
    let text = text.trim_start_matches("for ");
    if text == "invalid user" || text.starts_with("invalid user ") {
        flat.put("invalid_user", Field::Bool(true));
        return put_name(text.get(13..).unwrap_or(""), flat);
    }
    let name = text.strip_prefix("authenticating user ").or_else(|| text.strip_prefix("user ")).unwrap_or(text);
    put_name(name, flat);
}

fn put_name<'a>(name: &'a str, flat: &mut Flat<'a>) {
    if !name.is_empty() {
        flat.put_text("user", name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str) -> String {
        let mut flat = Flat::new();
        let kind = read(message, &mut flat);
        format!("{} {}", kind.map_or("-", |(class, _)| class.name()), flat.render())
    }

    #[test]
    fn each_message_gives_its_fields() {
        let cases = [
            (
                "Failed password for root from 203.0.113.9 port 52100 ssh2",
                r#"Authentication {"user":"root","src_ip":"203.0.113.9","src_port":52100,"auth_method":"password","outcome":"failure"}"#,
            ),
            (
                "Failed password for invalid user admin from 2001:DB8::1 port 52100 ssh2",
                r#"Authentication {"invalid_user":true,"user":"admin","src_ip":"2001:db8::1","src_port":52100,"auth_method":"password","outcome":"failure"}"#,
            ),
            (
                "Failed none for invalid user  from ::ffff:203.0.113.9 port 1 ssh2",
                r#"Authentication {"invalid_user":true,"src_ip":"203.0.113.9","src_port":1,"auth_method":"none","outcome":"failure"}"#,
            ),
            (
                "Accepted publickey for deploy from 192.0.2.4 port 4242 ssh2: ED25519 SHA256:abc",
                r#"Authentication {"user":"deploy","src_ip":"192.0.2.4","src_port":4242,"auth_method":"publickey","outcome":"success"}"#,
            ),
            (
                "Accepted keyboard-interactive/pam for bob from 192.0.2.4 port 4 ssh2",
                r#"Authentication {"user":"bob","src_ip":"192.0.2.4","src_port":4,"auth_method":"keyboard-interactive","outcome":"success"}"#,
            ),
            (
                "Invalid user oracle from 203.0.113.9 port 52100",
                r#"Authentication {"invalid_user":true,"user":"oracle","src_ip":"203.0.113.9","src_port":52100,"outcome":"failure"}"#,
            ),
            (
                "error: maximum authentication attempts exceeded for root from 203.0.113.9 port 5 ssh2 [preauth]",
                r#"Authentication {"user":"root","src_ip":"203.0.113.9","src_port":5,"outcome":"failure"}"#,
            ),
            (
                "Connection closed by invalid user test 203.0.113.9 port 5 [preauth]",
                r#"Authentication {"invalid_user":true,"user":"test","src_ip":"203.0.113.9","src_port":5}"#,
            ),
            (
                "Disconnected from user bob 192.0.2.4 port 9",
                r#"Authentication {"user":"bob","src_ip":"192.0.2.4","src_port":9}"#,
            ),
            (
                "Received disconnect from 203.0.113.9 port 5:11: Bye Bye [preauth]",
                r#"Authentication {"src_ip":"203.0.113.9","src_port":5}"#,
            ),
            (
                "User nobody from 203.0.113.9 not allowed because not listed in AllowUsers",
                r#"Authentication {"user":"nobody","src_ip":"203.0.113.9","outcome":"failure"}"#,
            ),
            (
                "Connection from 203.0.113.9 port 5 on 10.0.0.2 port 22 rdomain \"\"",
                r#"Network Activity {"src_ip":"203.0.113.9","src_port":5}"#,
            ),
            (
                "Unable to negotiate with 203.0.113.9 port 5: no matching key exchange method found. Their offer: x [preauth]",
                r#"Network Activity {"src_ip":"203.0.113.9","src_port":5}"#,
            ),
            (
                "Starting session: shell on pts/0 for bob from 192.0.2.4 port 9 id 0",
                r#"Authentication {"user":"bob","src_ip":"192.0.2.4","src_port":9}"#,
            ),
            (
                "message repeated 2 times: [ Failed password for root from 203.0.113.9 port 7 ssh2]",
                r#"Authentication {"repeated":2,"user":"root","src_ip":"203.0.113.9","src_port":7,"auth_method":"password","outcome":"failure"}"#,
            ),
            ("Server listening on 0.0.0.0 port 22.", r#"Network Activity {"src_ip":"0.0.0.0","src_port":22}"#),
        ];
        for (message, wanted) in cases {
            assert_eq!(check(message), wanted, "{message}");
        }
    }

    #[test]
    fn an_address_inside_a_user_name_is_never_taken_for_the_sender() {
        let line = "Failed password for invalid user x from 198.51.100.1 port 1 ssh2 from 203.0.113.9 port 52100 ssh2";
        assert_eq!(
            check(line),
            r#"Authentication {"invalid_user":true,"user":"x from 198.51.100.1 port 1 ssh2","src_ip":"203.0.113.9","src_port":52100,"auth_method":"password","outcome":"failure"}"#
        );
    }
}
