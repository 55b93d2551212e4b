//! Risk scores, 0 to 100: the sum of the terms shown, bounded. No term is hidden and none depends on the clock.

use shieldops_model::{
    Alert, Attack, Criticality, Entity, EntityKind, RiskTerm, Severity, address,
    attack::{rank, tactic},
};

use crate::{stage, story};

/// What a score takes from beside the alerts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    /// The highest criticality among the registered targets that the entities name.
    pub criticality: Option<Criticality>,
    /// Verdicts of people on earlier alerts of the same rules.
    pub verdicts: Verdicts,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Verdicts {
    pub true_positive: u32,
    pub false_positive: u32,
    pub benign_positive: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Score {
    pub score: u8,
    pub terms: Vec<RiskTerm>,
}

/// Verdicts below this number say nothing.
const VERDICTS_MIN: u32 = 5;
/// Points for each tactic beyond the first, and the most that they add.
const TACTIC_POINTS: (i32, i32) = (4, 20);
const INSIDE_POINTS: i32 = 10;
const BREACH_POINTS: i32 = 15;
const EXTERNAL_POINTS: i32 = 5;

/// The score of one alert.
pub fn alert(alert: &Alert, context: &Context) -> Score {
    let terms = [
        Some(level(alert.severity)),
        volume(alert.count),
        tactics(&alert.attack),
        external(&alert.entities),
        criticality(context),
        verdicts(context.verdicts),
    ];
    total(terms)
}

/// The score of an incident from all its alerts.
pub fn incident(alerts: &[Alert], context: &Context) -> Score {
    let mut attack = Attack::default();
    for alert in alerts {
        crate::fold::join_attack(&mut attack, &alert.attack);
    }
    let matches = alerts.iter().map(|alert| alert.count).fold(0, u64::saturating_add);
    sampled(alerts, matches, &attack, context)
}

/// The score of an incident from the alerts at hand, and what is known of all of them: their matches and their attack.
pub(crate) fn sampled(alerts: &[Alert], matches: u64, attack: &Attack, context: &Context) -> Score {
    let Some(worst) = alerts.iter().map(|alert| alert.severity).max() else {
        return Score::default();
    };
    let entities: Vec<Entity> = alerts.iter().flat_map(|alert| alert.entities.iter().cloned()).collect();
    let terms = [
        Some(level(worst)),
        volume(matches),
        tactics(attack),
        progression(alerts),
        breach(alerts),
        external(&entities),
        criticality(context),
        verdicts(context.verdicts),
    ];
    total(terms)
}

fn total(terms: impl IntoIterator<Item = Option<RiskTerm>>) -> Score {
    let terms: Vec<RiskTerm> = terms.into_iter().flatten().collect();
    let sum: i32 = terms.iter().map(|term| term.points).sum();
    Score { score: u8::try_from(sum.clamp(0, 100)).unwrap_or(0), terms }
}

fn term(name: &str, points: i32, why: String) -> RiskTerm {
    RiskTerm { name: name.to_owned(), points, why }
}

fn level(severity: Severity) -> RiskTerm {
    let points = match severity {
        Severity::Informational => 5,
        Severity::Low => 20,
        Severity::Medium => 40,
        Severity::High => 60,
        Severity::Critical => 75,
    };
    term("level", points, format!("the highest rule level is {}", severity.as_str()))
}

fn volume(count: u64) -> Option<RiskTerm> {
    let points = match count {
        0..10 => return None,
        10..100 => 3,
        100..1_000 => 6,
        _ => 10,
    };
    Some(term("volume", points, format!("{count} matches")))
}

fn tactics(attack: &Attack) -> Option<RiskTerm> {
    let mut known: Vec<&str> =
        attack.tactics.iter().filter_map(|short| tactic(short)).map(|tactic| tactic.name).collect();
    known.dedup();
    let beyond = i32::try_from(known.len()).unwrap_or(i32::MAX).saturating_sub(1);
    let (each, most) = TACTIC_POINTS;
    let points = beyond.saturating_mul(each).min(most);
    (points > 0).then(|| term("tactics", points, format!("{} ATT&CK tactics: {}", known.len(), known.join(", "))))
}

/// Signs of getting in followed by signs of acting inside.
fn progression(alerts: &[Alert]) -> Option<RiskTerm> {
    let entered = alerts.iter().filter(|alert| stage::is_access(&alert.attack)).map(|alert| alert.first_seen).min()?;
    let inside = alerts.iter().filter(|alert| stage::is_inside(&alert.attack) && alert.last_seen >= entered);
    let furthest = inside.flat_map(|alert| &alert.attack.tactics).max_by_key(|tactic| rank(tactic))?;
    let name = tactic(furthest)?.name.to_lowercase();
    Some(term("progression", INSIDE_POINTS, format!("signs of getting in are followed by {name}")))
}

fn breach(alerts: &[Alert]) -> Option<RiskTerm> {
    let from = story::success_after_failures(alerts)?;
    Some(term(
        "success after failures",
        BREACH_POINTS,
        format!("a sign-in from {from} follows guessed passwords from there"),
    ))
}

fn external(entities: &[Entity]) -> Option<RiskTerm> {
    let is_external = |entity: &&Entity| entity.kind == EntityKind::Ip && address::is_public(&entity.value);
    let found = entities.iter().filter(is_external).min()?;
    Some(term("external address", EXTERNAL_POINTS, format!("{} is on the internet", found.value)))
}

fn criticality(context: &Context) -> Option<RiskTerm> {
    match context.criticality? {
        Criticality::High => Some(term("asset criticality", 10, "a registered target of high criticality".into())),
        Criticality::Medium => None,
        Criticality::Low => Some(term("asset criticality", -5, "registered targets of low criticality only".into())),
    }
}

fn verdicts(verdicts: Verdicts) -> Option<RiskTerm> {
    let dismissed = verdicts.false_positive.saturating_add(verdicts.benign_positive);
    let all = dismissed.saturating_add(verdicts.true_positive);
    if all < VERDICTS_MIN {
        return None;
    }
    let four_fifths = |part: u32| u64::from(part) * 5 >= u64::from(all) * 4;
    if four_fifths(dismissed) {
        let why = format!("{dismissed} of {all} earlier alerts of these rules were judged false or benign");
        return Some(term("verdict history", -10, why));
    }
    let why = format!("{} of {all} earlier alerts of these rules were judged true", verdicts.true_positive);
    four_fifths(verdicts.true_positive).then(|| term("verdict history", 5, why))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{self, alert as row};

    fn check(score: &Score) -> String {
        let lines = score.terms.iter().map(|term| format!("{:+} {}: {}\n", term.points, term.name, term.why));
        format!("{}\n{}", score.score, lines.collect::<String>())
    }

    #[test]
    fn the_score_of_the_recorded_attack_shows_each_of_its_terms() {
        let context = Context { criticality: Some(Criticality::High), verdicts: Verdicts::default() };
        insta::assert_snapshot!(check(&incident(&testing::attack_alerts(), &context)));
    }

    #[test]
    fn rules_that_people_dismiss_score_less_but_keep_their_severity() {
        let alert_row = row("r", Severity::High, 0);
        let verdicts = Verdicts { true_positive: 1, false_positive: 4, benign_positive: 0 };
        let dismissed = alert(&alert_row, &Context { criticality: None, verdicts });
        assert_eq!((alert(&alert_row, &Context::default()).score, dismissed.score), (60, 50));
        let few = Verdicts { false_positive: 4, ..Verdicts::default() };
        assert_eq!(alert(&alert_row, &Context { criticality: None, verdicts: few }).score, 60);
    }

    proptest! {
        #[test]
        fn a_score_is_the_bounded_sum_of_its_terms(severity in 0_usize..5, count in any::<u64>(), tp in any::<u32>(), fp in any::<u32>()) {
            let mut alert_row = row("r", *Severity::ALL.get(severity).unwrap(), 0);
            alert_row.count = count;
            let verdicts = Verdicts { true_positive: tp, false_positive: fp, benign_positive: fp };
            let context = Context { criticality: Some(Criticality::Low), verdicts };
            for score in [alert(&alert_row, &context), incident(&[alert_row.clone(), alert_row], &context)] {
                let sum: i32 = score.terms.iter().map(|term| term.points).sum();
                prop_assert_eq!(i32::from(score.score), sum.clamp(0, 100));
            }
        }
    }
}
