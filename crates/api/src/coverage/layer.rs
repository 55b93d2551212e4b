//! A layer of the ATT&CK Navigator. Source: the layer format 4.5 of the project's documentation.

use std::collections::BTreeSet;

use serde::Serialize;
use shieldops_model::Timestamp;
use utoipa::ToSchema;

use super::attack::{Level, Matrix, Technique};

#[derive(Serialize, ToSchema)]
pub(crate) struct Layer {
    name: String,
    versions: Versions,
    domain: &'static str,
    description: String,
    techniques: Vec<LayerTechnique>,
    gradient: Gradient,
    #[serde(rename = "legendItems")]
    legend_items: Vec<Legend>,
    #[serde(rename = "showTacticRowBackground")]
    show_tactic_row_background: bool,
    #[serde(rename = "hideDisabled")]
    hide_disabled: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LayerVersions)]
struct Versions {
    layer: &'static str,
    navigator: &'static str,
    attack: &'static str,
}

#[derive(Serialize, ToSchema)]
struct LayerTechnique {
    #[serde(rename = "techniqueID")]
    technique_id: String,
    /// A technique stands once in each tactic that its rules mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    tactic: Option<String>,
    /// 0 none, 1 data, 2 detected, 3 tested, 4 automated; absent where rules name sub-techniques alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<u8>,
    enabled: bool,
    comment: String,
    /// Of a technique: its sub-techniques are shown.
    #[serde(rename = "showSubtechniques")]
    show_subtechniques: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LayerGradient)]
struct Gradient {
    colors: Vec<&'static str>,
    #[serde(rename = "minValue")]
    min_value: u8,
    #[serde(rename = "maxValue")]
    max_value: u8,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LayerLegend)]
struct Legend {
    label: &'static str,
    color: &'static str,
}

const COLORS: [(&str, &str); 5] = [
    ("a rule, and no data for it", "#d9d9d9"),
    ("data arrive", "#fdd49e"),
    ("detected", "#fdbb84"),
    ("tested", "#a1d99b"),
    ("automated", "#31a354"),
];

impl Layer {
    pub(crate) fn of(matrix: &Matrix, now: Timestamp) -> Self {
        Self {
            name: "ShieldOps coverage".to_owned(),
            versions: Versions { layer: "4.5", navigator: "5.1.0", attack: "17" },
            domain: "enterprise-attack",
            description: format!("Data, rules, tests and responses as of {now}."),
            techniques: techniques(matrix),
            gradient: Gradient { colors: COLORS.map(|(_, color)| color).to_vec(), min_value: 0, max_value: 4 },
            legend_items: COLORS.map(|(label, color)| Legend { label, color }).into(),
            show_tactic_row_background: false,
            hide_disabled: false,
        }
    }
}

/// All of them, and those of which rules name sub-techniques alone: these are shown where the technique is opened.
fn techniques(matrix: &Matrix) -> Vec<LayerTechnique> {
    let mut all: Vec<LayerTechnique> = matrix.techniques.iter().flat_map(|one| technique(one, matrix)).collect();
    let mut opened: BTreeSet<(&str, &str)> = BTreeSet::new();
    for one in &matrix.techniques {
        let Some(parent) = one.parent.as_deref() else { continue };
        if matrix.techniques.iter().all(|other| other.id != parent) {
            opened.extend(one.tactics.iter().map(|tactic| (parent, tactic.as_str())));
        }
    }
    all.extend(opened.into_iter().map(|(id, tactic)| LayerTechnique {
        technique_id: id.to_owned(),
        tactic: Some(tactic.to_owned()),
        score: None,
        enabled: true,
        comment: "see its sub-techniques".to_owned(),
        show_subtechniques: true,
    }));
    all
}

fn technique(of: &Technique, matrix: &Matrix) -> Vec<LayerTechnique> {
    let score = match of.level {
        Level::None => 0,
        Level::Data => 1,
        Level::Detected => 2,
        Level::Tested => 3,
        Level::Automated => 4,
    };
    let rules = if of.rule_count == 1 { "1 rule".to_owned() } else { format!("{} rules", of.rule_count) };
    let (label, _) = COLORS.get(usize::from(score)).copied().unwrap_or_default();
    let below = |other: &Technique| other.parent.as_deref() == Some(of.id.as_str());
    let show_subtechniques = matrix.techniques.iter().any(below);
    let one = |tactic: Option<String>| LayerTechnique {
        technique_id: of.id.clone(),
        tactic,
        score: Some(score),
        enabled: true,
        comment: format!("{rules}: {label}"),
        show_subtechniques,
    };
    if of.tactics.is_empty() {
        return vec![one(None)];
    }
    of.tactics.iter().cloned().map(Some).map(one).collect()
}
