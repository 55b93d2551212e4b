//! Correlations against the samples beside them: stories, of which each is found as a whole or not.

use std::collections::HashSet;

use shieldops_detect::{Correlation, Documents, parse};
use shieldops_pipeline::{
    content::stories,
    samples::stories::{Stories, Told},
};

use super::{Report, SampleFailure, Subject};
use crate::content::BUILT_IN;

/// Everything that correlations of these files may refer to: the files, and the built-in rules with other ids.
pub(super) fn all<'a>(subjects: impl Iterator<Item = &'a Documents>) -> Stories {
    let own: Documents = subjects.cloned().collect();
    let correlations = own.correlations.iter().map(|correlation| correlation.header.id.clone());
    let ids: HashSet<String> = own.rules.iter().map(|rule| rule.id.clone()).chain(correlations).collect();
    let built_in = BUILT_IN.iter().map(|rule| {
        let (mut documents, _) = parse(rule.text, rule.file);
        documents.rules.retain(|rule| !ids.contains(&rule.id));
        documents.correlations.retain(|correlation| !ids.contains(&correlation.header.id));
        documents
    });
    let mut all: Documents = built_in.collect();
    all.extend([own]);
    Stories::new(all)
}

impl Report {
    /// A correlation that raises alerts; `silent` ones are proved by what builds on them.
    pub(super) fn correlation(&mut self, correlation: &Correlation, subject: &Subject, all: &Stories) {
        let id = &correlation.header.id;
        let fail = |sample: Option<String>, why: String| SampleFailure {
            rule_id: Some(id.clone()),
            file: subject.file.clone(),
            sample,
            why,
        };
        match all.is_silent(id) {
            Some(false) => {}
            Some(true) => return,
            None => {
                self.failures.push(fail(None, "cannot be used: see its diagnostics".to_owned()));
                return;
            }
        }
        let (matches, misses) = (stories(&subject.matches), stories(&subject.misses));
        for (name, stories) in [("match.ndjson", &matches), ("miss.ndjson", &misses)] {
            if stories.is_empty() {
                self.failures.push(fail(None, format!("has no samples in {name} beside it: nothing proves it")));
            }
        }
        let told = all.check(id, &matches, &misses);
        self.passed += told.iter().filter(|told| told.is_right()).count();
        for Told { number, expected, .. } in told.iter().filter(|told| !told.is_right()) {
            self.failed += 1;
            let title = &correlation.header.title;
            let (name, why) = match expected {
                true => ("match.ndjson", format!("is not found by `{title}`, and should")),
                false => ("miss.ndjson", format!("is found by `{title}`, and should not")),
            };
            self.failures.push(fail(Some(format!("{name}: story {number}")), why));
        }
    }
}
