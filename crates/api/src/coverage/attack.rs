//! ATT&CK as it is covered here: which techniques rules look for, whether their data arrive, whether they are tested, and
//! whether a response was planned for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{Json, extract::State};
use serde::Serialize;
use shieldops_store::{PageRequest, incidents, plans, rule_states::State as RuleState};
use utoipa::ToSchema;

use super::{Arriving, Held, arriving, held, layer, techniques};
use crate::{App, Problem, auth::Caller, rules::blocking};

/// Plans that are looked through for responses.
const PLANS: usize = 1_000;
/// Rules that are named of one technique.
const RULES: usize = 100;

/// How far a technique is covered: each step needs the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// A rule is for it, and its data do not arrive.
    None,
    /// Data arrive that a rule could find it in.
    Data,
    /// And such a rule is enabled.
    Detected,
    /// And its samples come out as they should.
    Tested,
    /// And a response to it was planned by an investigation.
    Automated,
}

#[expect(clippy::struct_excessive_bools, reason = "four steps, each with an answer of its own")]
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Technique {
    /// `T1110` or `T1110.003`.
    pub(crate) id: String,
    /// The technique that a sub-technique is of.
    pub(crate) parent: Option<String>,
    /// Those of the technique that the rules mean.
    pub(crate) tactics: BTreeSet<String>,
    pub(crate) level: Level,
    data: bool,
    detected: bool,
    tested: bool,
    automated: bool,
    /// The first 100.
    rules: Vec<TechniqueRule>,
    pub(crate) rule_count: usize,
    /// Sources whose events its rules are for.
    sources: BTreeSet<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct TechniqueRule {
    id: String,
    title: String,
    state: RuleState,
    data: bool,
    tested: bool,
}

#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct Totals {
    techniques: usize,
    /// Techniques that are at least so far.
    data: usize,
    detected: usize,
    tested: usize,
    automated: usize,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Matrix {
    pub(crate) techniques: Vec<Technique>,
    totals: Totals,
}

/// Techniques that rules name, and how far each is covered.
#[utoipa::path(get, path = "/api/v1/coverage/attack", operation_id = "get_attack_coverage", tag = "rules", responses((status = 200, body = Matrix)))]
pub(crate) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Matrix>, Problem> {
    Ok(Json(matrix(&app, &caller).await?))
}

/// The same as a layer of the ATT&CK Navigator, version 4.5.
#[utoipa::path(get, path = "/api/v1/coverage/attack/navigator", operation_id = "export_attack_layer", tag = "rules", responses((status = 200, body = layer::Layer)))]
pub(crate) async fn navigator(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<layer::Layer>, Problem> {
    let matrix = matrix(&app, &caller).await?;
    Ok(Json(layer::Layer::of(&matrix, caller.now())))
}

async fn matrix(app: &App, caller: &Caller) -> Result<Matrix, Problem> {
    let (rules, sources) = (held(app, caller).await?, arriving(caller).await?);
    let automated = automated(caller).await?;
    blocking(move || of(&rules, &sources, &automated)).await
}

/// Techniques of incidents for which an investigation planned a response.
async fn automated(caller: &Caller) -> Result<BTreeSet<String>, Problem> {
    let mut reader = caller.scope.read().await?;
    let mut page = PageRequest { limit: Some(200), cursor: None };
    let mut of = BTreeSet::new();
    for _ in 0..PLANS / 200 {
        let found = plans::list(&mut reader, &plans::Filter::default(), &page).await?;
        let proposed = found.items.iter().filter(|plan| plan.requester == "system:investigation");
        of.extend(proposed.filter_map(|plan| plan.incident_id));
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    let mut techniques = BTreeSet::new();
    for incident in of {
        techniques
            .extend(incidents::find(&mut reader, incident).await?.into_iter().flat_map(|one| one.attack.techniques));
    }
    Ok(techniques)
}

fn of(rules: &[Held], sources: &[Arriving], automated: &BTreeSet<String>) -> Matrix {
    let mut techniques: BTreeMap<String, Technique> = BTreeMap::new();
    for held in rules {
        let from = sources.iter().filter(|source| source.of(&held.rule).next().is_some());
        let from: Vec<&str> = from.map(|source| source.source.as_str()).collect();
        for id in &held.rule.attack.techniques {
            let technique = techniques.entry(id.clone()).or_insert_with(|| Technique::new(id));
            technique.add(held, &from);
        }
    }
    let mut totals = Totals { techniques: techniques.len(), ..Totals::default() };
    let mut techniques: Vec<Technique> = techniques.into_values().collect();
    for technique in &mut techniques {
        technique.automated = technique.tested && automated.contains(&technique.id);
        technique.level = technique.reached();
        totals.data += usize::from(technique.data);
        totals.detected += usize::from(technique.detected);
        totals.tested += usize::from(technique.tested);
        totals.automated += usize::from(technique.automated);
    }
    Matrix { techniques, totals }
}

impl Technique {
    fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            parent: techniques::parent(id).map(str::to_owned),
            tactics: BTreeSet::new(),
            level: Level::None,
            data: false,
            detected: false,
            tested: false,
            automated: false,
            rules: Vec::new(),
            rule_count: 0,
            sources: BTreeSet::new(),
        }
    }

    fn add(&mut self, held: &Held, from: &[&str]) {
        let data = !from.is_empty();
        let detected = data && held.state == RuleState::Enabled;
        self.data |= data;
        self.detected |= detected;
        self.tested |= detected && held.tested;
        self.tactics.extend(techniques::tactics(&self.id, held.rule.attack.tactics.iter().map(String::as_str)));
        self.sources.extend(from.iter().map(|source| (*source).to_owned()));
        self.rule_count += 1;
        if self.rules.len() < RULES {
            let (id, title) = (held.rule.id.clone(), held.rule.title.clone());
            self.rules.push(TechniqueRule { id, title, state: held.state, data, tested: held.tested });
        }
    }

    fn reached(&self) -> Level {
        match (self.data, self.detected, self.tested, self.automated) {
            (false, ..) => Level::None,
            (_, false, ..) => Level::Data,
            (_, _, false, _) => Level::Detected,
            (_, _, _, false) => Level::Tested,
            _ => Level::Automated,
        }
    }
}

#[cfg(test)]
mod tests {
    use shieldops_model::LogSource;
    use shieldops_store::coverage::SourceFields;

    use super::*;

    fn rule(id: &str, product: &str, technique: &str, state: RuleState, tested: bool) -> Held {
        let text = format!(
            "title: {id}\nid: {id}\nlevel: low\ntags: [attack.credential-access, attack.{technique}]\nlogsource: {{product: {product}}}\ndetection:\n  s: {{a: b}}\n  condition: s\n"
        );
        let rule = shieldops_detect::parse(&text, "r.yml").0.into_rules().swap_remove(0);
        Held { rule: Arc::new(rule), state, tested }
    }

    #[test]
    fn each_level_needs_the_ones_before() {
        let sends = SourceFields {
            log_sources: [LogSource { product: Some("linux".to_owned()), ..LogSource::default() }].into(),
            ..SourceFields::default()
        };
        let sources = [Arriving { source: "sshd".to_owned(), sends }];
        let rules = [
            rule("1", "windows", "t1001", RuleState::Enabled, true),
            rule("2", "linux", "t1002", RuleState::Shadow, true),
            rule("3", "linux", "t1003", RuleState::Enabled, false),
            rule("4", "linux", "t1004", RuleState::Enabled, true),
            rule("5", "linux", "t1005", RuleState::Enabled, true),
            rule("6", "windows", "t1005", RuleState::Draft, false),
        ];
        let automated = ["T1001", "T1003", "T1005"].map(str::to_owned).into();
        let matrix = of(&rules, &sources, &automated);
        let levels: Vec<_> = matrix.techniques.iter().map(|one| (one.id.as_str(), one.level)).collect();
        assert_eq!(
            levels,
            [
                ("T1001", Level::None),
                ("T1002", Level::Data),
                ("T1003", Level::Detected),
                ("T1004", Level::Tested),
                ("T1005", Level::Automated),
            ]
        );
        let Totals { techniques, data, detected, tested, automated } = matrix.totals;
        assert_eq!((techniques, data, detected, tested, automated), (5, 4, 3, 2, 1));
        assert_eq!(matrix.techniques[4].rule_count, 2);
    }

    #[test]
    fn a_technique_stands_in_its_own_tactics_and_a_sub_technique_under_its_technique() {
        let text = "title: r\nid: r\nlevel: low\ntags: [attack.credential-access, attack.persistence, attack.t1110.003]\nlogsource: {product: linux}\ndetection:\n  s: {a: b}\n  condition: s\n";
        let rule = shieldops_detect::parse(text, "r.yml").0.into_rules().swap_remove(0);
        let held = Held { rule: Arc::new(rule), state: RuleState::Enabled, tested: false };
        let matrix = of(&[held], &[], &BTreeSet::new());
        let one = &matrix.techniques[0];
        assert_eq!((one.parent.as_deref(), one.tactics.len()), (Some("T1110"), 1), "{:?}", one.tactics);
        let layer = serde_json::to_value(layer::Layer::of(&matrix, shieldops_model::Timestamp::from_secs(0))).unwrap();
        let shown: Vec<_> = layer["techniques"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["techniqueID"].clone(), one["tactic"].clone(), one["showSubtechniques"].clone()))
            .collect();
        let row = |id: &str, open: bool| (id.into(), "credential-access".into(), open.into());
        assert_eq!(shown, [row("T1110.003", false), row("T1110", true)]);
    }
}
