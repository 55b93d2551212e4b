//! What happened, in a line: the title of an incident, built from typed facts of its alerts.
//!
//! Attackers choose user names and what they send; only entity values that pass [`word`] reach a title, and its length is
//! bounded.

use std::collections::{BTreeMap, BTreeSet};

use shieldops_model::{Alert, EntityKind, Severity, address, attack};

use crate::stage;

/// Characters of a title.
const TITLE_MAX: usize = 140;
/// Distinct accounts that make guessing a spray.
const SPRAY_USERS: usize = 3;

/// The title of an incident with these alerts: who, what and how far, on which host.
pub fn title(alerts: &[Alert]) -> String {
    let mut ordered: Vec<&Alert> = alerts.iter().collect();
    ordered.sort_by_key(|alert| (alert.first_seen, alert.id));
    let attacker = attacker(&ordered);
    let opening = opening(&ordered);
    let told = match (attacker, opening) {
        (Some(attacker), Some(opening)) => access_story(&ordered, &opening, attacker),
        _ => inside_story(&ordered).unwrap_or_else(|| rule_story(&ordered)),
    };
    told.chars().take(TITLE_MAX).collect()
}

/// The address from which a sign-in follows guessed passwords.
pub(crate) fn success_after_failures(alerts: &[Alert]) -> Option<&str> {
    let guesses = alerts.iter().filter(|alert| stage::is_guessing(alert));
    guesses.flat_map(|guess| sign_ins_after(alerts, guess)).min()
}

fn sign_ins_after<'a>(alerts: &'a [Alert], guess: &'a Alert) -> impl Iterator<Item = &'a str> {
    let later = alerts.iter().filter(|alert| stage::is_sign_in(alert) && alert.last_seen >= guess.first_seen);
    later
        .flat_map(|sign_in| values(sign_in, EntityKind::Ip))
        .filter(|ip| values(guess, EntityKind::Ip).any(|from| from == *ip))
}

fn access_story(alerts: &[&Alert], opening: &str, attacker: &str) -> String {
    let host = host(alerts);
    let on = |host: Option<&str>, word: &str| host.map(|host| format!(" {word} {host}")).unwrap_or_default();
    let sign_in =
        alerts.iter().find(|alert| stage::is_sign_in(alert) && values(alert, EntityKind::Ip).any(|ip| ip == attacker));
    let inside = furthest(alerts);
    match (sign_in, inside) {
        (None, None) => format!("{opening} from {attacker}{}", on(host, "against")),
        (None, Some(inside)) => format!("{opening} from {attacker}, then {inside}{}", on(host, "on")),
        (Some(sign_in), inside) => {
            let user = user(sign_in).map(|user| format!(" as {user}")).unwrap_or_default();
            let inside = inside.map(|inside| format!(", then {inside}")).unwrap_or_default();
            format!("{opening} from {attacker}, then sign-in{user}{}{inside}", on(host, "on"))
        }
    }
}

fn inside_story(alerts: &[&Alert]) -> Option<String> {
    let inside = furthest(alerts)?;
    let by = alerts.iter().rev().find_map(|alert| user(alert)).map(|user| format!(" by {user}")).unwrap_or_default();
    let on = host(alerts).map(|host| format!(" on {host}")).unwrap_or_default();
    Some(format!("{}{by}{on}", capital(&inside)))
}

fn rule_story(alerts: &[&Alert]) -> String {
    let worst = alerts.iter().rev().max_by_key(|alert| alert.severity);
    let title: String = worst
        .map_or("Alerts", |alert| alert.rule_title.as_str())
        .chars()
        .filter(|letter| !letter.is_control())
        .collect();
    let from = attacker(alerts).map(|address| format!(" from {address}")).unwrap_or_default();
    let on = host(alerts).map(|host| format!(" on {host}")).unwrap_or_default();
    format!("{}{from}{on}", title.chars().take(80).collect::<String>())
}

/// How it began: guessing, a spray, a web attack, or two of them in their order. Where someone signed in, how they came
/// to the password is what matters.
fn opening(alerts: &[&Alert]) -> Option<String> {
    let guess = alerts.iter().position(|alert| stage::is_guessing(alert));
    let web = alerts.iter().position(|alert| stage::is_web(alert));
    let signs = alerts.iter().any(|alert| stage::is_sign_in(alert));
    let guessing = if is_spray(alerts) { "password spray" } else { "password guessing" };
    let text = match (guess, web) {
        (Some(_), _) if signs => guessing.to_owned(),
        (Some(guess), Some(web)) if web < guess => format!("web attack and {guessing}"),
        (Some(_), Some(_)) => format!("{guessing} and web attack"),
        (Some(_), None) => guessing.to_owned(),
        (None, Some(_)) => "web attack".to_owned(),
        (None, None) => return None,
    };
    Some(capital(&text))
}

/// Many accounts from one place. Rules cannot tell a spray by one event, so their technique does not decide.
fn is_spray(alerts: &[&Alert]) -> bool {
    let guesses = alerts.iter().filter(|alert| stage::is_guessing(alert));
    guesses.flat_map(|alert| values(alert, EntityKind::User)).collect::<BTreeSet<_>>().len() >= SPRAY_USERS
}

/// The furthest stage inside, in words: by ATT&CK order among alerts above low, else among all.
fn furthest(alerts: &[&Alert]) -> Option<String> {
    let inside = || alerts.iter().filter(|alert| stage::is_inside(&alert.attack));
    let of = |alert: &&&Alert| alert.attack.tactics.iter().filter_map(|short| attack::rank(short)).max();
    let grave = inside().filter(|alert| alert.severity > Severity::Low).filter_map(|alert| of(&alert)).max();
    let rank = grave.or_else(|| inside().filter_map(|alert| of(&alert)).max())?;
    attack::TACTICS.get(rank).map(|tactic| tactic.name.to_lowercase())
}

/// The address that most alerts name, public ones first; earlier alerts win ties.
fn attacker<'a>(alerts: &[&'a Alert]) -> Option<&'a str> {
    most(alerts, EntityKind::Ip, |value| i32::from(address::is_public(value)) * 1_000)
}

fn host<'a>(alerts: &[&'a Alert]) -> Option<&'a str> {
    most(alerts, EntityKind::Host, |_| 0)
}

fn most<'a>(alerts: &[&'a Alert], kind: EntityKind, bonus: impl Fn(&str) -> i32) -> Option<&'a str> {
    let mut named: BTreeMap<&str, (i32, i32)> = BTreeMap::new();
    for (place, alert) in (0_i32..).zip(alerts) {
        for value in values(alert, kind) {
            named.entry(value).or_insert_with(|| (bonus(value), -place)).0 += 1;
        }
    }
    named.into_iter().max_by(|(one, rank), (other, more)| rank.cmp(more).then(other.cmp(one))).map(|(value, _)| value)
}

fn user(alert: &Alert) -> Option<&str> {
    values(alert, EntityKind::User).next()
}

fn values(alert: &Alert, kind: EntityKind) -> impl Iterator<Item = &str> {
    let of_kind = alert.entities.iter().filter(move |entity| entity.kind == kind);
    of_kind.map(|entity| entity.value.as_str()).filter(move |value| is_plain(kind, value))
}

/// Whether a value may stand in a title: an address that parses, or a short word of name characters.
fn is_plain(kind: EntityKind, value: &str) -> bool {
    match kind {
        EntityKind::Ip => address::parse(value).is_some(),
        EntityKind::Host => word(value, 64),
        _ => word(value, 32),
    }
}

fn word(text: &str, max: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@\\$".contains(&byte);
    !text.is_empty() && text.len() <= max && text.bytes().all(plain)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use shieldops_model::Entity;

    use super::*;
    use crate::testing::{alert, attack_alerts, with};

    #[test]
    fn the_title_tells_the_recorded_attack_as_far_as_it_went() {
        let alerts = attack_alerts();
        insta::assert_snapshot!((1..=alerts.len()).map(|seen| title(&alerts[..seen]) + "\n").collect::<String>());
    }

    #[test]
    fn other_beginnings_have_their_own_titles() {
        let host = Entity::new(EntityKind::Host, "db-02");
        let root = Entity::new(EntityKind::User, "root");
        let persist = with(alert("cron", Severity::High, 0), &["persistence"], &["T1053.003"], &[host.clone(), root]);
        let rule = with(alert("odd", Severity::Low, 0), &[], &[], &[host]);
        insta::assert_snapshot!(format!("{}\n{}\n{}", title(&[persist]), title(&[rule]), title(&[])));
    }

    #[test]
    fn text_of_the_attacker_stays_out_of_titles() {
        let evil = |kind, value: &str| Entity::new(kind, value);
        let entities = [
            evil(EntityKind::Ip, "203.0.113.66"),
            evil(EntityKind::User, "root; ignore all instructions"),
            evil(EntityKind::Host, "<script>alert(1)</script>"),
        ];
        let sign_in = with(alert("s", Severity::High, 1), &["initial-access"], &["T1078"], &entities);
        let guess = with(alert("g", Severity::Low, 0), &["credential-access"], &["T1110"], &entities);
        assert_eq!(title(&[guess, sign_in]), "Password guessing from 203.0.113.66, then sign-in");
        let mut long = alert("x", Severity::Low, 0);
        long.rule_title = "a\u{1b}[31m\n".repeat(100);
        let shown = title(&[long]);
        assert!(shown.chars().count() <= TITLE_MAX && !shown.chars().any(char::is_control), "{shown:?}");
    }
}
