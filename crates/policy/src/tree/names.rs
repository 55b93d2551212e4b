//! The rules of a set of modules by their full names, and what a name means within a module.

use std::collections::BTreeMap;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

/// Rules by path, for example `data.shieldops.plan.changing`.
pub(crate) struct Index {
    pub(crate) modules: Vec<Ref<Module>>,
    rules: BTreeMap<String, Vec<(usize, usize)>>,
}

impl Index {
    pub(crate) fn new(modules: Vec<Ref<Module>>) -> Self {
        let mut rules: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        for (place, module) in modules.iter().enumerate() {
            for (at, rule) in module.policy.iter().enumerate() {
                if let Some(name) = name_of(rule) {
                    rules.entry(format!("{}.{name}", package_of(module))).or_default().push((place, at));
                }
            }
        }
        Self { modules, rules }
    }

    /// The module and the rule of every definition of that path.
    pub(crate) fn rules(&self, path: &str) -> Vec<(&Module, &Rule)> {
        let places = self.rules.get(path).map(Vec::as_slice).unwrap_or_default();
        places
            .iter()
            .filter_map(|(place, at)| {
                let module = self.modules.get(*place)?;
                Some((module.as_ref(), module.policy.get(*at)?.as_ref()))
            })
            .collect()
    }

    pub(crate) fn is_rule(&self, path: &str) -> bool {
        self.rules.contains_key(path)
    }

    /// The full path of a dotted name as it stands in `module`: its own rule, or one of an imported package.
    pub(crate) fn full(&self, module: &Module, name: &str) -> Option<String> {
        let own = format!("{}.{name}", package_of(module));
        if self.is_rule(&own) {
            return Some(own);
        }
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let imported = module.imports.iter().find(|import| alias(import.refr.as_ref(), import.r#as.as_ref()) == first);
        let full = match imported {
            Some(import) if rest.is_empty() => import.refr.span().text().to_owned(),
            Some(import) => format!("{}.{rest}", import.refr.span().text()),
            None => name.to_owned(),
        };
        full.starts_with("data.").then_some(full)
    }
}

pub(crate) fn package_of(module: &Module) -> String {
    format!("data.{}", module.package.refr.span().text())
}

fn alias<'a>(refr: &'a Expr, given: Option<&'a regorus::unstable::Span>) -> &'a str {
    let text = given.map_or_else(|| refr.span().text(), |span| span.text());
    text.rsplit('.').next().unwrap_or(text)
}

/// The expression that names a rule: `level`, `actions_in[environment]`.
pub(crate) fn head_of(rule: &Rule) -> &Expr {
    match rule {
        Rule::Spec {
            head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } | RuleHead::Func { refr, .. },
            ..
        }
        | Rule::Default { refr, .. } => refr.as_ref(),
    }
}

/// The dotted name of a rule without its brackets.
pub(crate) fn name_of(rule: &Rule) -> Option<String> {
    let mut expr = head_of(rule);
    while let Expr::RefBrack { refr, .. } = expr {
        expr = refr.as_ref();
    }
    dotted(expr)
}

/// `a.b.c`, when it is nothing else.
pub(crate) fn dotted(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Var { span, .. } => Some(span.text().to_owned()),
        Expr::RefDot { refr, field, .. } => Some(format!("{}.{}", dotted(refr.as_ref())?, field.0.text())),
        _ => None,
    }
}

/// The full names of all rules that are no functions.
#[cfg(test)]
pub(crate) fn rules_without_arguments(index: &Index) -> Vec<String> {
    let is_function = |rule: &Rule| matches!(rule, Rule::Spec { head: RuleHead::Func { .. }, .. });
    index.rules.keys().filter(|name| !index.rules(name).iter().any(|(_, rule)| is_function(rule))).cloned().collect()
}
