//! Correlations against the samples beside them: stories, of which each is found as a whole or not.

use shieldops_detect::{Correlation, Documents, parse};
use shieldops_pipeline::{
    content::stories,
    samples::stories::{Stories, Told},
};

use super::{Report, SampleFailure, Subject};
use crate::content::BUILT_IN;

/// Everything that correlations of these files may refer to, and the built-in rules. Of equal ids the last counts.
pub(super) fn all<'a>(subjects: impl Iterator<Item = &'a Documents>) -> Stories {
    let built_in = BUILT_IN.iter().map(|rule| parse(rule.text, rule.file).0);
    Stories::new(built_in.chain(subjects.cloned()).collect())
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
