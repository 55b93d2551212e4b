//! The log of coverage: for each source and minute, whether rules were run on its events; for one rule, whether it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shieldops_model::Timestamp;
use shieldops_store::{
    Access, bookkeeping,
    coverage::{self, Minute, RuleSet, Window},
    rule_states::State as RuleState,
};
use utoipa::{IntoParams, ToSchema};

use super::sending;
use crate::{
    App, Problem,
    auth::Caller,
    page::{Params, parse},
    rules::view,
};

/// The longest window, and what one answer holds at most.
const LONGEST: Duration = Duration::from_hours(24 * 31);
const ROWS: u32 = 20_000;
const WINDOWS: usize = 5_000;
const MINUTE: Duration = Duration::from_mins(1);
/// What was lost stands under these sources: nobody knows of which it was.
const LOST: [&str; 2] = [coverage::REPLACED, coverage::UNREADABLE];

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogQuery {
    /// The view of one rule.
    rule: Option<String>,
    source: Option<String>,
    /// RFC 3339; a day before `to` unless told.
    from: Option<String>,
    /// RFC 3339; now unless told. At most 31 days after `from`.
    to: Option<String>,
}

impl LogQuery {
    fn is_narrow(&self) -> bool {
        self.rule.is_some() || self.source.is_some()
    }
}

/// What became of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Evaluated,
    /// The rule ran, and only its matches were counted.
    Shadow,
    NotChecked,
    /// The source sent nothing.
    Silent,
}

/// Minutes of a source of which the same can be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Stretch {
    source: String,
    from: Timestamp,
    to: Timestamp,
    status: Status,
    /// Why nothing was checked; empty otherwise.
    why: String,
    events: u64,
    late: u64,
    skipped: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Log {
    /// Where what is told begins: later than what was asked for, where there is more than one answer holds.
    from: Timestamp,
    to: Timestamp,
    /// Events that came until then have been looked at. In a process without the log nothing is told of what came after.
    checked_until: Timestamp,
    windows: Vec<Stretch>,
    /// Stretches of the time asked for that were not checked, also those for which there is no room here.
    gaps: usize,
    rows: Vec<Minute>,
    /// There is more than one answer holds: ask for less time, or one source.
    truncated: bool,
}

/// For which source and minute rules were run on events, and where not. `not_checked` is where an alert could be missing.
#[utoipa::path(get, path = "/api/v1/coverage/log", operation_id = "get_coverage_log", tag = "rules", params(LogQuery),
    responses((status = 200, body = Log), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(query): Params<LogQuery>,
) -> Result<Json<Log>, Problem> {
    let now = caller.now();
    let to: Timestamp = parse("to", query.to.as_ref())?.unwrap_or(now).min(now);
    let from: Timestamp = parse("from", query.from.as_ref())?.unwrap_or_else(|| to.minus(Duration::from_hours(24)));
    if from >= to || to.since(from) > LONGEST {
        return Err(Problem::invalid("`from` is before `to` and before now, and at most 31 days before `to`"));
    }
    let sources = sources(&app, &caller, &query, from).await?;
    let mut reader = caller.scope.read().await?;
    let named: Vec<&str> = sources.iter().map(String::as_str).filter(|_| query.is_narrow()).collect();
    let window = Window { sources: &named, from, to, gaps: false, limit: ROWS };
    let mut rows = coverage::minutes(&mut reader, &window).await?;
    let begins = begins(&rows, whole(from));
    // Of one rule, lists of indicators say nothing.
    let counts = |row: &Minute| query.rule.is_none() || row.rules != coverage::INDICATORS;
    let mut unread = Vec::new();
    if begins > from {
        let window = Window { to: begins.minus(MINUTE), gaps: true, ..window };
        unread = coverage::minutes(&mut reader, &window).await?;
        unread.retain(counts);
    }
    rows.retain(|row| row.minute >= begins && counts(row));
    let ran = match &query.rule {
        Some(rule) => Some(ran(&mut reader, rule, &rows).await?),
        None => None,
    };
    let last = bookkeeping::sources(&mut reader).await?.into_iter().map(|stats| stats.last_ingested_at).max();
    drop(reader);
    let span = Span { from: begins, to, checked_until: now }.seen(lag(&app, &caller), last);
    let before = Span { from: whole(from), to: begins, checked_until: begins };
    let mut windows = stretches(&sources, &rows, ran.as_ref(), &span);
    let gaps = gaps(&windows).saturating_add(gaps(&stretches(&sources, &unread, None, &before)));
    let truncated = begins > from || windows.len() > WINDOWS;
    cut(&mut windows, WINDOWS);
    let Span { checked_until, .. } = span;
    Ok(Json(Log { from: begins.max(from), to, checked_until, windows, gaps, rows, truncated }))
}

/// Where what was read begins to be whole: of the oldest minute of as many rows as are read, some may be missing.
fn begins(rows: &[Minute], from: Timestamp) -> Timestamp {
    if rows.len() < usize::try_from(ROWS).unwrap_or(usize::MAX) {
        return from;
    }
    rows.iter().map(|row| row.minute).min().map_or(from, |oldest| oldest.plus(MINUTE))
}

/// Leaves so many stretches; what was not checked is the last to go.
fn cut(windows: &mut Vec<Stretch>, most: usize) {
    if windows.len() <= most {
        return;
    }
    windows.sort_by_key(|stretch| stretch.status != Status::NotChecked);
    windows.truncate(most);
    windows.sort_by(|a, b| (&a.source, a.from).cmp(&(&b.source, b.from)));
}

fn gaps(windows: &[Stretch]) -> usize {
    windows.iter().filter(|stretch| stretch.status == Status::NotChecked).count()
}

/// The sources that are asked about: one, those that a rule is for, or all. What was lost may have been of any.
async fn sources(app: &App, caller: &Caller, query: &LogQuery, from: Timestamp) -> Result<BTreeSet<String>, Problem> {
    let mut reader = caller.scope.read().await?;
    if let Some(source) = &query.source {
        return Ok([source.clone()].into());
    }
    let mut all: BTreeSet<String> =
        bookkeeping::sources(&mut reader).await?.into_iter().map(|stats| stats.source).collect();
    if let Some(rule) = &query.rule {
        let subject = view::find(&mut reader, &app.pipeline.content, rule).await?;
        let sending = sending(caller, from).await?;
        let fits = sending.iter().filter(|one| one.of(&subject.rule).next().is_some());
        let fits: BTreeSet<&str> = fits.map(|one| one.source.as_str()).collect();
        all.retain(|source| fits.contains(source.as_str()));
    }
    all.extend(LOST.map(str::to_owned));
    Ok(all)
}

/// Events that wait to be looked at; nothing where the log is another process's.
fn lag(app: &App, caller: &Caller) -> Option<u64> {
    app.pipeline.bus().ok().map(|bus| bus.stats(caller.principal.tenant).lag_events)
}

/// How a rule ran under each set of rules.
type Ran = BTreeMap<String, Result<RuleState, &'static str>>;

async fn ran(access: &mut impl Access, rule: &str, rows: &[Minute]) -> Result<Ran, Problem> {
    let mut ran = Ran::new();
    let mut bases: BTreeMap<String, bool> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.rules.is_empty()) {
        if ran.contains_key(&row.rules) {
            continue;
        }
        let state = match coverage::find_set(access, &row.rules).await? {
            Some(RuleSet::Tenant { base, default, differs }) => {
                if let Some(differs) = differs.get(rule) {
                    Ok(differs.state)
                } else {
                    if !bases.contains_key(&base) {
                        let loaded = coverage::find_set(access, &base).await?;
                        let has = matches!(loaded, Some(RuleSet::Base(rules)) if rules.contains_key(rule));
                        bases.insert(base.clone(), has);
                    }
                    if bases.get(&base) == Some(&true) { Ok(default) } else { Err("the rule was not loaded") }
                }
            }
            Some(RuleSet::Base(_)) | None => Err("it is not known which rules ran"),
        };
        ran.insert(row.rules.clone(), state);
    }
    Ok(ran)
}

struct Span {
    /// A whole minute.
    from: Timestamp,
    to: Timestamp,
    checked_until: Timestamp,
}

impl Span {
    /// As far as events were looked at: all of them, or up to the `last`. Where it is not known whether more wait, it ends there.
    fn seen(self, lag: Option<u64>, last: Option<Timestamp>) -> Self {
        let looked = last.map_or(self.checked_until, |last| last.min(self.checked_until));
        match lag {
            Some(0) => self,
            Some(_) => Self { checked_until: looked, ..self },
            None => Self { checked_until: looked, to: self.to.min(looked), ..self },
        }
    }
}

fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_secs(at.as_secs().div_euclid(60).saturating_mul(60))
}

fn stretches(sources: &BTreeSet<String>, rows: &[Minute], ran: Option<&Ran>, span: &Span) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    let mut of: BTreeMap<&str, BTreeMap<Timestamp, Vec<&Minute>>> = BTreeMap::new();
    for row in rows {
        of.entry(&row.source).or_default().entry(row.minute).or_default().push(row);
    }
    for source in sources {
        let minutes = of.remove(source.as_str()).unwrap_or_default();
        // Nothing sends under these names: that nothing stands there says nothing.
        let is_lost = LOST.contains(&source.as_str());
        let mut at = span.from;
        for (minute, rows) in minutes {
            if !is_lost {
                empty(&mut found, source, (at, minute), span);
            }
            let (status, why) = judged(&rows, ran);
            let sum = |part: fn(&Minute) -> u64| rows.iter().map(|row| part(row)).sum();
            push(
                &mut found,
                Stretch {
                    source: source.clone(),
                    from: minute,
                    to: minute.plus(MINUTE),
                    status,
                    why,
                    events: sum(|row| row.evaluated),
                    late: sum(|row| row.late),
                    skipped: sum(|row| row.skipped),
                },
            );
            at = minute.plus(MINUTE);
        }
        if !is_lost {
            empty(&mut found, source, (at, span.to), span);
        }
    }
    found
}

/// Nothing stands of these minutes: the source was silent, or what came waits to be looked at.
fn empty(found: &mut Vec<Stretch>, source: &str, (from, to): (Timestamp, Timestamp), span: &Span) {
    let waits = span.checked_until.max(from).min(to);
    for (from, to, status, why) in
        [(from, waits, Status::Silent, ""), (waits, to, Status::NotChecked, "what came waits to be looked at")]
    {
        if from < to {
            let why = why.to_owned();
            let source = source.to_owned();
            push(found, Stretch { source, from, to, status, why, events: 0, late: 0, skipped: 0 });
        }
    }
}

/// The worst that can be said of a minute.
fn judged(rows: &[&Minute], ran: Option<&Ran>) -> (Status, String) {
    if let Some(lost) = rows.iter().find(|row| row.rules.is_empty() && LOST.contains(&row.source.as_str())) {
        let why = if lost.source == coverage::REPLACED {
            "the log is not the one that was looked at: what that one had left is lost"
        } else {
            "events in the log cannot be read, whatever source they are of"
        };
        return (Status::NotChecked, why.to_owned());
    }
    let skipped = |lists: bool| rows.iter().any(|row| row.skipped > 0 && (row.rules == coverage::INDICATORS) == lists);
    if skipped(false) {
        return (Status::NotChecked, "no rule could be run on some of its events".to_owned());
    }
    if skipped(true) {
        return (
            Status::NotChecked,
            "lists were loading: some of its events were not looked up for indicators".to_owned(),
        );
    }
    let mut status = Status::Evaluated;
    for row in rows {
        match ran.and_then(|ran| ran.get(&row.rules)) {
            None | Some(Ok(RuleState::Enabled)) => {}
            Some(Ok(RuleState::Shadow)) => status = Status::Shadow,
            Some(Ok(state)) => return (Status::NotChecked, format!("the rule was {}", state.as_str())),
            Some(Err(why)) => return (Status::NotChecked, (*why).to_owned()),
        }
    }
    (status, String::new())
}

/// Adds a stretch, to the one before where the same can be said of both.
fn push(found: &mut Vec<Stretch>, next: Stretch) {
    match found.last_mut() {
        Some(last)
            if last.source == next.source
                && last.to == next.from
                && last.status == next.status
                && last.why == next.why =>
        {
            last.to = next.to;
            last.events = last.events.saturating_add(next.events);
            last.late = last.late.saturating_add(next.late);
            last.skipped = last.skipped.saturating_add(next.skipped);
        }
        _ => found.push(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_secs(minute * 60)
    }

    fn row(source: &str, minute: i64, rules: &str, skipped: u64) -> Minute {
        let evaluated = u64::from(skipped == 0);
        Minute { source: source.to_owned(), minute: at(minute), rules: rules.to_owned(), evaluated, late: 0, skipped }
    }

    fn shown(rows: &[Minute], ran: Option<&Ran>, checked_until: i64) -> Vec<String> {
        within(rows, ran, &Span { from: at(0), to: at(10), checked_until: at(checked_until) })
    }

    fn within(rows: &[Minute], ran: Option<&Ran>, span: &Span) -> Vec<String> {
        let sources = ["log replaced", "nginx", "sshd", "unreadable"].map(str::to_owned).into();
        let text = |one: &Stretch| {
            format!(
                "{} {}-{} {:?} {}{}",
                one.source,
                one.from.as_secs() / 60,
                one.to.as_secs() / 60,
                one.status,
                one.events,
                if one.why.is_empty() { String::new() } else { format!(": {}", one.why) }
            )
        };
        stretches(&sources, rows, ran, span).iter().map(text).collect()
    }

    #[test]
    fn a_source_that_sent_nothing_is_silent_and_what_waits_was_not_checked() {
        let rows = [row("sshd", 2, "a", 0), row("sshd", 3, "b", 0), row("sshd", 5, "a", 0)];
        assert_eq!(
            shown(&rows, None, 8),
            [
                "nginx 0-8 Silent 0",
                "nginx 8-10 NotChecked 0: what came waits to be looked at",
                "sshd 0-2 Silent 0",
                "sshd 2-4 Evaluated 2",
                "sshd 4-5 Silent 0",
                "sshd 5-6 Evaluated 1",
                "sshd 6-8 Silent 0",
                "sshd 8-10 NotChecked 0: what came waits to be looked at",
            ]
        );
    }

    #[test]
    fn events_that_were_not_looked_up_in_lists_are_a_gap_beside_what_the_rules_did() {
        let rows = [row("sshd", 2, "a", 0), row("sshd", 2, coverage::INDICATORS, 7), row("sshd", 3, "a", 0)];
        let seen = shown(&rows, None, 10);
        let why = "lists were loading: some of its events were not looked up for indicators";
        assert_eq!(seen[2..4], [format!("sshd 2-3 NotChecked 1: {why}"), "sshd 3-4 Evaluated 1".to_owned()]);
    }

    #[test]
    fn a_rule_was_not_checked_while_it_was_off_and_skipped_events_were_not_for_any() {
        let ran: Ran = [
            ("on".to_owned(), Ok(RuleState::Enabled)),
            ("off".to_owned(), Ok(RuleState::Retired)),
            ("watched".to_owned(), Ok(RuleState::Shadow)),
            ("before".to_owned(), Err("the rule was not loaded")),
        ]
        .into();
        let mut rows: Vec<Minute> =
            ["before", "on", "off", "watched"].iter().zip(0..).map(|(set, at)| row("sshd", at, set, 0)).collect();
        rows.push(row("sshd", 4, "", 3));
        rows.extend([row("sshd", 5, "on", 0), row("sshd", 5, "off", 0)]);
        let seen = shown(&rows, Some(&ran), 10);
        assert_eq!(
            seen[1..7],
            [
                "sshd 0-1 NotChecked 1: the rule was not loaded",
                "sshd 1-2 Evaluated 1",
                "sshd 2-3 NotChecked 1: the rule was retired",
                "sshd 3-4 Shadow 1",
                "sshd 4-5 NotChecked 0: no rule could be run on some of its events",
                "sshd 5-6 NotChecked 2: the rule was retired",
            ]
        );
    }

    #[test]
    fn what_was_lost_is_a_gap_of_every_rule_whatever_is_known_of_how_much() {
        let lost =
            |source: &str, minute: i64, skipped: u64| Minute { evaluated: 0, ..row(source, minute, "", skipped) };
        let rows = [lost(coverage::REPLACED, 3, 0), lost(coverage::UNREADABLE, 5, 7)];
        let gaps = [
            "log replaced 3-4 NotChecked 0: the log is not the one that was looked at: what that one had left is lost",
            "unreadable 5-6 NotChecked 0: events in the log cannot be read, whatever source they are of",
        ];
        for ran in [None, Some(&Ran::new())] {
            let seen = shown(&rows, ran, 10);
            assert_eq!([seen[0].as_str(), seen[3].as_str()], gaps);
            assert_eq!(seen.len(), 4, "and the sources themselves, which are silent: {seen:?}");
        }
    }

    #[test]
    fn of_minutes_that_were_not_read_nothing_is_said() {
        let few = [row("sshd", 7, "a", 0)];
        assert_eq!(begins(&few, at(0)), at(0));
        let most = usize::try_from(ROWS).unwrap();
        let many: Vec<Minute> = (0..most).map(|_| row("sshd", 7, "a", 0)).collect();
        assert_eq!(begins(&many, at(0)), at(8), "of the oldest minute some may be missing");
        let span = Span { from: at(8), to: at(10), checked_until: at(10) };
        assert_eq!(within(&few[..0], None, &span)[1], "sshd 8-10 Silent 0");
    }

    #[test]
    fn where_there_is_no_room_for_all_what_was_not_checked_stays() {
        let rows = [row("nginx", 2, "a", 0), row("sshd", 2, "a", 0), row("sshd", 4, "", 3), row("sshd", 6, "", 3)];
        let sources = ["nginx", "sshd"].map(str::to_owned).into();
        let span = Span { from: at(0), to: at(10), checked_until: at(10) };
        let mut windows = stretches(&sources, &rows, None, &span);
        assert_eq!(gaps(&windows), 2);
        cut(&mut windows, 3);
        let left: Vec<_> = windows.iter().map(|one| (one.source.as_str(), one.from, one.status)).collect();
        let gap = Status::NotChecked;
        assert_eq!(left, [("nginx", at(0), Status::Silent), ("sshd", at(4), gap), ("sshd", at(6), gap)]);
    }

    #[test]
    fn nothing_is_silent_where_it_is_not_known_whether_events_wait() {
        let rows = [row("sshd", 2, "a", 0)];
        let seen =
            |lag| within(&rows, None, &Span { from: at(0), to: at(10), checked_until: at(10) }.seen(lag, Some(at(4))));
        assert_eq!(seen(Some(0)).last().unwrap(), "sshd 3-10 Silent 0");
        assert_eq!(seen(Some(9)).last().unwrap(), "sshd 4-10 NotChecked 0: what came waits to be looked at");
        assert_eq!(seen(None).last().unwrap(), "sshd 3-4 Silent 0", "and nothing of what came after");
    }
}
