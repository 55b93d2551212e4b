//! A tenant's own policies: they add denies and obligations to the built-in ones, and can take nothing away.
//!
//! Checked before they are ever evaluated: package, imports, builtins and paths, on the syntax tree; then tried once.

mod check;

use std::collections::BTreeMap;

use regorus::unstable::{Module, Rule, RuleHead};

use crate::{
    Policy, PolicyError,
    load::{self, File},
    suite,
    tree::{name_of, package_of},
};

/// The most files of a tenant.
pub const MAX_FILES: usize = 50;
/// All files of a tenant together, in bytes.
pub const MAX_TOTAL_BYTES: usize = 512 * 1024;

impl Policy {
    /// The embedded policies and those of a tenant: names and texts. Files of tests (`…_test.rego`) are checked and not
    /// loaded. Returns everything that is wrong, with file and line.
    pub fn with_tenant(files: &[File]) -> Result<Self, Vec<PolicyError>> {
        let packages = check::checked(files)?;
        let mut all = load::built_in();
        all.retain(|(name, _)| name != GLUE);
        all.push((GLUE.to_owned(), glue(&packages)));
        all.extend(files.iter().filter(|(name, _)| !suite::is_test(name)).cloned());
        let policy = Self::load(all).map_err(|error| vec![error])?;
        match policy.tried(&packages) {
            wrong if wrong.is_empty() => Ok(policy),
            wrong => Err(wrong),
        }
    }
}

/// Runs the tests of a tenant's policies, beside the built-in policies and `data.shieldops.testing`.
pub fn test(files: &[File]) -> Result<suite::SuiteReport, Vec<PolicyError>> {
    tested(files).map(|(_, report)| report)
}

/// A tenant's policies with what their tests show.
pub fn tested(files: &[File]) -> Result<(Policy, suite::SuiteReport), Vec<PolicyError>> {
    let policy = Policy::with_tenant(files)?;
    let mut all = load::built_in();
    all.extend(load::owned(load::BUILT_IN_TESTS).into_iter().filter(|(name, _)| name == "testing_test.rego"));
    let ours: Vec<&String> = files.iter().map(|(name, _)| name).collect();
    all.extend(files.iter().cloned());
    let mut report = suite::run(&all).map_err(|error| vec![error])?;
    report.coverage.retain(|file| ours.contains(&&file.file));
    Ok((policy, report))
}

/// The built-in file that says that there is nothing, and in whose place stands what there is.
const GLUE: &str = "tenant.rego";

/// What one package of a tenant adds, with the lines where it does.
#[derive(Debug, Clone, Default)]
struct Package {
    file: String,
    deny: Option<u32>,
    obligation: Option<u32>,
}

type Packages = BTreeMap<String, Package>;

/// One line a package: paths that are written out, so that none can be left out.
fn glue(packages: &Packages) -> String {
    let mut text = String::from("package shieldops.tenant\n");
    for (rule, member) in [("deny", "reason"), ("obligation", "obligation")] {
        let with: Vec<&String> =
            packages.iter().filter(|(_, package)| package.line(rule).is_some()).map(|(name, _)| name).collect();
        if with.is_empty() {
            text.push('\n');
            text.push_str(rule);
            text.push_str(" := set()\n");
        }
        for name in with {
            let line = format!(
                "{rule} contains {{\"policy\": \"{name}\", \"{member}\": value}} if some value in data.tenant.{name}.{rule}"
            );
            text.push('\n');
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

impl Package {
    fn line(&self, rule: &str) -> Option<u32> {
        if rule == "deny" { self.deny } else { self.obligation }
    }
}

/// What the rules of a module add.
fn added(module: &Module) -> Package {
    let line = |wanted: &str| {
        let mut rules = module.policy.iter().filter(|rule| is_set(rule) && name_of(rule).as_deref() == Some(wanted));
        rules.next().map(|rule| rule.span().line)
    };
    Package { file: module.package.span.source.file().clone(), deny: line("deny"), obligation: line("obligation") }
}

fn is_set(rule: &Rule) -> bool {
    matches!(rule, Rule::Spec { head: RuleHead::Set { key: Some(_), .. }, .. })
}

/// `nights` of `package tenant.nights`.
fn name_of_package(module: &Module) -> Option<String> {
    package_of(module).strip_prefix("data.tenant.").map(str::to_owned)
}

#[cfg(test)]
mod tests;
