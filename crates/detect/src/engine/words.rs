//! What rules and names of fields can tell apart of a log source. Senders choose names of sources; those that differ in
//! nothing that a rule asks for are one, and share what is made and learned for it.

use std::collections::HashSet;

use shieldops_model::LogSource;

use crate::sigma::{compile::RuleSet, route};

#[derive(Debug, Default)]
pub(crate) struct Words {
    /// Of rules, in lower case: they do not look at case.
    of_rules: HashSet<String>,
    /// Of what looks at case.
    exact: HashSet<String>,
}

/// Stands for every word that nothing asks for.
const OTHER: &str = "\0";

impl Words {
    pub(crate) fn of(set: &RuleSet) -> Self {
        let rules = set.rules().iter().map(|rule| &rule.log_source);
        let words = rules.flat_map(|source| [&source.product, &source.category, &source.service]).flatten();
        let exact = set.field_map().words().map(str::to_owned).chain(route::words().map(str::to_owned)).collect();
        Self { of_rules: words.map(|word| word.to_ascii_lowercase()).collect(), exact }
    }

    /// The one source of all that nothing tells apart from this one.
    pub(crate) fn told_apart(&self, source: &LogSource) -> LogSource {
        let word = |word: &String| self.word(word).unwrap_or_else(|| OTHER.to_owned());
        let mut categories: Vec<String> = source.categories.iter().filter_map(|word| self.word(word)).collect();
        categories.sort_unstable();
        categories.dedup();
        LogSource { product: source.product.as_ref().map(word), categories, service: source.service.as_ref().map(word) }
    }

    fn word(&self, word: &str) -> Option<String> {
        if self.exact.contains(word) {
            return Some(word.to_owned());
        }
        let lower = word.to_ascii_lowercase();
        if !self.of_rules.contains(&lower) {
            return None;
        }
        // Rules take it for that word, what looks at case does not.
        Some(if self.exact.contains(&lower) { lower.to_ascii_uppercase() } else { lower })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{CompileOptions, parse};

    fn set() -> RuleSet {
        let sources = [
            "{product: linux}",
            "{product: linux, service: auth}",
            "{product: linux, service: syslog}",
            "{product: Acme, service: Door}",
            "{category: process_creation, product: windows}",
            "{service: ldap_debug}",
            "{category: webserver}",
        ];
        let rule = |(number, source): (usize, &&str)| {
            format!(
                "title: t{number}\nid: r{number}\nlevel: low\nlogsource: {source}\ndetection:\n  s: {{Image|endswith: x, CommandLine: y}}\n  condition: s\n"
            )
        };
        let text: Vec<String> = sources.iter().enumerate().map(rule).collect();
        let (documents, problems) = parse(&text.join("---\n"), "r.yml");
        assert_eq!(problems, []);
        RuleSet::compile(documents, &CompileOptions::default()).0
    }

    fn word() -> impl Strategy<Value = String> {
        prop::sample::select(
            &[
                "linux",
                "Linux",
                "windows",
                "WINDOWS",
                "acme",
                "ACME",
                "door",
                "auth",
                "sshd",
                "SSHD",
                "auditd",
                "Auditd",
                "ldap",
                "Ldap",
                "security",
                "sysmon",
                "process_creation",
                "Process_Creation",
                "webserver",
                "nobody's",
                "",
            ][..],
        )
        .prop_map(str::to_owned)
    }

    proptest! {
        #[test]
        fn sources_that_are_one_see_the_same_rules_and_names(
            product in prop::option::of(word()), service in prop::option::of(word()),
            categories in prop::collection::vec(word(), 0..3),
        ) {
            let set = set();
            let source = LogSource { product, categories, service };
            let one = Words::of(&set).told_apart(&source);
            let (route, same) = (set.route(&source), set.route(&one));
            prop_assert_eq!(&route.rules, &same.rules, "{:?}", one);
            prop_assert_eq!(&route.names, &same.names, "{:?}", one);
            prop_assert_eq!(Words::of(&set).told_apart(&one), one);
        }
    }

    #[test]
    fn names_that_a_sender_makes_up_take_no_room_from_others() {
        let set = set();
        let named = |product: &str, service: String| LogSource {
            product: Some(product.to_owned()),
            categories: vec![service.clone()],
            service: Some(service),
        };
        for number in 0..10_000 {
            set.engine.source(&set, &named("linux", format!("tag{number}")));
            set.engine.source(&set, &named(&format!("app{number}"), format!("app{number}")));
        }
        assert_eq!(set.engine.known_sources().len(), 2);
        let door = [named("acme", "door".to_owned()), named("ACME", "Door".to_owned())];
        let [one, same] = door.map(|source| set.engine.source(&set, &source));
        assert!(std::sync::Arc::ptr_eq(&one, &same));
        assert_eq!((one.route.rules.len(), set.engine.known_sources().len()), (1, 3));
    }
}
