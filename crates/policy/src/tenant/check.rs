//! What a tenant's policy may be made of, judged on its syntax tree.

use std::collections::BTreeSet;

use regorus::unstable::{ArithOp, Expr, Module, Ref, Rule, Span};

use super::{MAX_FILES, MAX_TOTAL_BYTES, Package, Packages, added, is_set, name_of_package};
use crate::{
    Policy, PolicyError, example,
    load::{self, File},
    schema,
    suite::is_test,
    tree::{self, Node, dotted, name_of},
};

/// Functions that a tenant's policy may call: each ends soon, and makes nothing much larger than what it is given.
const BUILTINS: &[&str] = &[
    "abs",
    "array.reverse",
    "array.slice",
    "ceil",
    "concat",
    "contains",
    "count",
    "endswith",
    "floor",
    "indexof",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "lower",
    "max",
    "min",
    "net.cidr_contains",
    "object.get",
    "object.keys",
    "object.remove",
    "object.union",
    "round",
    "sort",
    "split",
    "sprintf",
    "startswith",
    "substring",
    "sum",
    "to_number",
    "trim",
    "trim_prefix",
    "trim_space",
    "trim_suffix",
    "type_name",
    "upper",
];
/// Functions whose result may be larger than what they are given: in a chain each could double it. Only rules that no
/// other may read can call them, and so often.
const GROWING: &[&str] = &["array.concat", "concat", "sprintf"];
const MAX_GROWING: usize = 3;
/// Members of one list that is written out in a policy: of constants, and of anything else.
const MAX_CONSTANTS: usize = 200;
const MAX_LITERAL: usize = 10;
/// Rules that fail when they are tried, before the others are not tried any more.
const MAX_TRIED_WRONG: usize = 4;
/// What tests may call besides.
const IN_TESTS: &[&str] = &["array.concat", "json.patch"];
/// Packages of ours that would lead back to the tenant's own.
const CIRCULAR: &[&str] = &["decision", "tenant"];

/// Every package of the files that are loaded; or everything that is wrong with the files.
pub(super) fn checked(files: &[File]) -> Result<Packages, Vec<PolicyError>> {
    let mut wrong = sizes(files);
    let mut packages = Packages::new();
    let mut parsed = Vec::new();
    for file in files {
        match load::index(std::slice::from_ref(file)) {
            Ok(index) => parsed.extend(index.modules.first().cloned()),
            Err(error) => wrong.push(error),
        }
    }
    let loaded = |module: &&Ref<Module>| !is_test(module.package.span.source.file());
    let names: BTreeSet<String> = parsed.iter().filter(loaded).filter_map(|module| name_of_package(module)).collect();
    for module in &parsed {
        let mut found =
            Checker { module, is_test: is_test(module.package.span.source.file()), names: &names, wrong: Vec::new() };
        found.module();
        wrong.append(&mut found.wrong);
        if !found.is_test
            && let Some(name) = name_of_package(module)
            && packages.insert(name, added(module)).is_some()
        {
            let span = &module.package.span;
            wrong.push(PolicyError::at(span.source.file(), span.line, "another file has this package"));
        }
    }
    if wrong.is_empty() {
        wrong = unknown_paths(files)?;
    }
    if wrong.is_empty() { Ok(packages) } else { Err(wrong) }
}

fn sizes(files: &[File]) -> Vec<PolicyError> {
    let mut wrong = Vec::new();
    if files.len() > MAX_FILES {
        wrong.push(PolicyError::of_file("", format!("there are {} files; at most {MAX_FILES}", files.len())));
    }
    let total: usize = files.iter().map(|(_, text)| text.len()).sum();
    if total > MAX_TOTAL_BYTES {
        wrong.push(PolicyError::of_file(
            "",
            format!("the files have {total} bytes together; at most {MAX_TOTAL_BYTES}"),
        ));
    }
    let mut names = BTreeSet::new();
    for (name, _) in files {
        let ours = load::BUILT_IN.iter().chain(load::BUILT_IN_TESTS).any(|(built_in, _)| built_in == name);
        if ours || !names.insert(name) {
            wrong.push(PolicyError::of_file(name, "another file has this name"));
        }
    }
    wrong
}

/// Fields that the input does not have: a rule that reads one would never fire.
fn unknown_paths(files: &[File]) -> Result<Vec<PolicyError>, Vec<PolicyError>> {
    let mut all = load::built_in();
    all.extend(files.iter().filter(|(name, _)| !is_test(name)).cloned());
    let index = load::index(&all).map_err(|error| vec![error])?;
    let ours = index.modules.iter().filter(|module| name_of_package(module).is_some());
    let reads = ours.flat_map(|module| module.policy.iter().flat_map(|rule| tree::reads_of(&index, module, rule)));
    let unknown = schema::unknown(&schema::input_schema(), reads);
    Ok(unknown
        .into_iter()
        .map(|read| PolicyError::at(&read.file, read.line, format!("{} is no field of the input", read.path)))
        .collect())
}

struct Checker<'a> {
    module: &'a Module,
    is_test: bool,
    names: &'a BTreeSet<String>,
    wrong: Vec<PolicyError>,
}

impl Checker<'_> {
    fn refuse(&mut self, span: &Span, why: impl Into<String>) {
        self.wrong.push(PolicyError::at(span.source.file(), span.line, why));
    }

    fn module(&mut self) {
        let module = self.module;
        let package = &module.package.span;
        match name_of_package(module) {
            Some(name) if is_plain(&name) => {}
            _ => self.refuse(
                package,
                "the package must be `tenant.` and one name of a-z, 0-9 and _, for example `package tenant.nights`",
            ),
        }
        for import in &module.imports {
            let text = import.refr.span().text();
            let alias = import.r#as.as_ref().map_or(text, Span::text);
            if matches!(alias, "input" | "data") || text != "rego.v1" && !self.may_name(text) {
                self.refuse(&import.span, format!("`{text}` may not be imported"));
            }
        }
        for rule in &module.policy {
            self.rule(rule);
        }
        let Package { deny, obligation, .. } = added(module);
        if !self.is_test && deny.is_none() && obligation.is_none() {
            self.refuse(package, "it adds nothing: write `deny contains …` or `obligation contains …`");
        }
    }

    fn rule(&mut self, rule: &Ref<Rule>) {
        let name = name_of(rule).unwrap_or_default();
        if matches!(name.as_str(), "deny" | "obligation") && !is_set(rule) {
            self.refuse(rule.span(), format!("`{name}` must be a set: write `{name} contains …`"));
        }
        let mut growing = 0;
        let mut nodes = Vec::new();
        tree::walk(rule, &mut |node| nodes.push(node));
        for node in nodes {
            match node {
                Node::Statement(statement) if !self.is_test => {
                    if let Some(with) = statement.with_mods.first() {
                        self.refuse(&with.span, "`with` belongs in tests: a policy judges what is, nothing else");
                    }
                }
                Node::Statement(_) => {}
                Node::Expr(expr) if std::ptr::eq(expr, tree::head_of(rule)) => {}
                Node::Expr(expr) => self.expr(expr, &mut growing),
            }
        }
        let most = if self.may_grow(rule) { MAX_GROWING } else { 0 };
        if growing > most {
            let why = format!(
                "it calls {} {growing} times: a rule `deny`, `obligation` or `test_…` may do so {MAX_GROWING} times, others never",
                GROWING.join(", ")
            );
            self.refuse(rule.span(), why);
        }
    }

    /// Rules whose value no other rule can read.
    fn may_grow(&self, rule: &Rule) -> bool {
        let name = name_of(rule).unwrap_or_default();
        is_set(rule) && is_answer(&name) || self.is_test && name.starts_with("test_")
    }

    fn expr(&mut self, expr: &Expr, growing: &mut usize) {
        match expr {
            Expr::Call { span, fcn, .. } => {
                let name = dotted(fcn.as_ref()).unwrap_or_default();
                if GROWING.contains(&name.as_str()) {
                    *growing += 1;
                }
                let known = BUILTINS.contains(&name.as_str()) || self.is_test && IN_TESTS.contains(&name.as_str());
                if !known && !self.is_function(&name) {
                    self.refuse(span, format!("`{name}` may not be called"));
                }
            }
            Expr::Array { span, items, .. } | Expr::Set { span, items, .. } => {
                let constants = items.iter().all(|item| is_constant(item.as_ref()));
                let most = if constants { MAX_CONSTANTS } else { MAX_LITERAL };
                if items.len() > most {
                    self.refuse(
                        span,
                        format!("a list has at most {MAX_CONSTANTS} constants, or {MAX_LITERAL} of anything else"),
                    );
                }
            }
            Expr::ArithExpr { span, op: ArithOp::Mul, lhs, rhs, .. } => {
                let small = |side: &Expr| matches!(side, Expr::Number { span, .. } if span.text().len() <= 7);
                if !small(lhs.as_ref()) && !small(rhs.as_ref()) {
                    self.refuse(span, "one side of `*` must be a number that is written out, of at most 7 digits");
                }
            }
            Expr::RefDot { span, field, .. }
                if is_answer(field.0.text())
                    && !self.is_test
                    && dotted(expr).is_some_and(|name| !name.starts_with("input")) =>
            {
                self.refuse(span, format!("`{}` is an answer: no rule may read it", field.0.text()));
            }
            Expr::Var { span, .. } if is_answer(span.text()) || span.text().starts_with("test_") => {
                self.refuse(span, format!("`{}` is an answer: no rule may read it", span.text()));
            }
            Expr::RefDot { span, .. } => {
                if let Some(name) =
                    dotted(expr).filter(|name| name.matches('.').count() == 2 && name.starts_with("data."))
                    && !self.may_name(&name)
                {
                    self.refuse(span, format!("`{name}` may not be read"));
                }
            }
            Expr::RefBrack { span, refr, .. }
                if dotted(refr.as_ref()).is_some_and(|name| is_data(&name) && name.matches('.').count() < 2) =>
            {
                self.refuse(span, "`data` is read by plain names only, for example `data.shieldops.plan.changing`");
            }
            Expr::Var { span, .. } if span.text() == "data" && stands_alone(span) => {
                self.refuse(span, "`data` is read by plain names only, for example `data.shieldops.plan.changing`");
            }
            _ => {}
        }
    }

    /// A function of this package, of another of the tenant's, or of ours.
    fn is_function(&self, name: &str) -> bool {
        let own = self.module.policy.iter().any(|rule| name_of(rule).as_deref() == Some(name));
        let imported = |first: &str| {
            self.module.imports.iter().any(|import| {
                let alias = import.r#as.as_ref().map_or_else(|| import.refr.span().text(), Span::text);
                alias.rsplit('.').next() == Some(first)
            })
        };
        own || name.split_once('.').is_some_and(|(first, _)| imported(first)) || self.may_name(name)
    }

    /// A package of ours that does not lead back here, or one of the tenant's own.
    fn may_name(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('.').collect();
        match parts.as_slice() {
            ["data", "shieldops", "testing", ..] => self.is_test,
            ["data", "shieldops", package, ..] => self.is_test || !CIRCULAR.contains(package),
            ["data", "tenant", package, ..] => self.names.contains(*package),
            _ => false,
        }
    }
}

/// `data` that no dotted name of three parts begins with.
fn stands_alone(span: &Span) -> bool {
    let text = span.source.contents().get(span.end as usize..).unwrap_or_default();
    let parts: Vec<&str> = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
        .next()
        .unwrap_or_default()
        .split('.')
        .collect();
    parts.len() < 3
}

/// What a policy says to the outside.
fn is_answer(name: &str) -> bool {
    matches!(name, "deny" | "obligation")
}

fn is_constant(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::String { .. } | Expr::RawString { .. } | Expr::Number { .. } | Expr::Bool { .. } | Expr::Null { .. }
    )
}

fn is_data(name: &str) -> bool {
    name == "data" || name.starts_with("data.")
}

fn is_plain(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl Policy {
    /// Asks each rule of the tenant once, about an ordinary plan.
    pub(super) fn tried(&self, packages: &Packages) -> Vec<PolicyError> {
        let input = serde_json::to_value(example::block()).unwrap_or_default();
        let mut wrong = Vec::new();
        for (name, package) in packages {
            for rule in ["deny", "obligation"] {
                let Some(line) = package.line(rule) else { continue };
                if let Err(why) = self.probe(&format!("data.tenant.{name}.{rule}"), input.clone()) {
                    wrong.push(PolicyError::at(&package.file, line, why));
                }
                // Each may have taken the whole limit.
                if wrong.len() >= MAX_TRIED_WRONG {
                    return wrong;
                }
            }
        }
        wrong
    }
}
