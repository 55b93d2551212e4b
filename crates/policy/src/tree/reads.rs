//! What one rule reads of the input, with everything that it uses.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Query, Rule, RuleAssign, RuleHead};

use super::{
    Known, Part, Path, Read,
    names::{Index, dotted, head_of},
};

/// Rules and functions within each other that are followed.
const MAX_DEPTH: usize = 12;

type Names = BTreeMap<String, Known>;

/// Everything that one definition reads: `module` and `rule` are of `index`.
pub(crate) fn reads_of(index: &Index, module: &Module, rule: &Rule) -> BTreeSet<Read> {
    let mut reader =
        Reader { index, module, found: BTreeSet::new(), within: Vec::new(), seen: BTreeMap::new(), silent: 0 };
    reader.rule(rule, &[]);
    reader.found
}

struct Reader<'a> {
    index: &'a Index,
    module: &'a Module,
    found: BTreeSet<Read>,
    /// The rules that are being followed.
    within: Vec<String>,
    /// What was followed, with its arguments.
    seen: BTreeMap<(String, Vec<Known>), (Known, BTreeSet<Read>)>,
    /// Above zero: values are only worked out, not read.
    silent: u32,
}

impl<'a> Reader<'a> {
    /// Reads a definition with what is known of its arguments; returns what is known of its value.
    fn rule(&mut self, rule: &'a Rule, arguments: &[Known]) -> Known {
        let (head, bodies) = match rule {
            Rule::Spec { head, bodies, .. } => (head, bodies.as_slice()),
            Rule::Default { value, .. } => return self.read(value.as_ref(), &Names::new()),
        };
        let mut names = Names::new();
        if let RuleHead::Func { args, .. } = head {
            for (argument, known) in args.iter().zip(arguments) {
                bind(argument.as_ref(), known.clone(), &mut names);
            }
        }
        let mut value = Known::default();
        if bodies.is_empty() {
            value = self.head(head, &names);
        }
        for body in bodies {
            let mut names = names.clone();
            self.query(body.query.as_ref(), &mut names);
            value = match &body.assign {
                Some(RuleAssign { value: assigned, .. }) => value.or(self.read(assigned.as_ref(), &names)),
                None => value.or(self.head(head, &names)),
            };
            self.inside(head_of(rule), &names);
        }
        value
    }

    fn head(&mut self, head: &'a RuleHead, names: &Names) -> Known {
        match head {
            RuleHead::Compr { refr, assign: Some(assign), .. } => {
                let value = self.read(assign.value.as_ref(), names);
                if matches!(refr.as_ref(), Expr::RefBrack { .. }) { value.many() } else { value }
            }
            RuleHead::Func { assign: Some(assign), .. } => self.read(assign.value.as_ref(), names),
            RuleHead::Set { key: Some(key), .. } => self.read(key.as_ref(), names).many(),
            _ => Known::default(),
        }
    }

    /// Names first, twice, because they may stand in any order; then everything is read.
    fn query(&mut self, query: &'a Query, names: &mut Names) {
        self.silent += 1;
        for _ in 0..2 {
            for statement in &query.stmts {
                self.name(statement, names);
            }
        }
        self.silent -= 1;
        for statement in &query.stmts {
            match &statement.literal {
                Literal::SomeVars { .. } => {}
                Literal::SomeIn { collection, .. } => {
                    self.read(collection.as_ref(), names);
                }
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
                    self.read(expr.as_ref(), names);
                }
                Literal::Every { value, domain, query, .. } => {
                    let members = self.read(domain.as_ref(), names).then(&Part::Each);
                    let mut names = names.clone();
                    names.insert(value.text().to_owned(), members);
                    self.query(query.as_ref(), &mut names);
                }
            }
        }
    }

    fn name(&mut self, statement: &'a LiteralStmt, names: &mut Names) {
        match &statement.literal {
            Literal::SomeIn { value, collection, .. } => {
                let members = self.read(collection.as_ref(), names).then(&Part::Each);
                bind(value.as_ref(), members, names);
            }
            Literal::Expr { expr, .. } => {
                if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } = expr.as_ref() {
                    let known = self.read(rhs.as_ref(), names);
                    bind(lhs.as_ref(), known, names);
                }
            }
            _ => {}
        }
    }

    /// Reads an expression and says what is known of its value.
    fn read(&mut self, expr: &'a Expr, names: &Names) -> Known {
        match expr {
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => self.reference(expr, names),
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                let mut names = names.clone();
                self.query(query.as_ref(), &mut names);
                self.read(term.as_ref(), &names).many()
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                let mut names = names.clone();
                self.query(query.as_ref(), &mut names);
                self.read(key.as_ref(), &names);
                self.read(value.as_ref(), &names).many()
            }
            Expr::Call { fcn, params, .. } => self.call(fcn.as_ref(), params, names),
            Expr::BinExpr { lhs, rhs, .. } => {
                let left = self.read(lhs.as_ref(), names);
                left.or(self.read(rhs.as_ref(), names))
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                let parts = items.iter().map(|item| self.read(item.as_ref(), names)).collect::<Vec<_>>();
                parts.into_iter().fold(Known::default(), |all, part| all.or(part.many()))
            }
            other => {
                self.inside(other, names);
                Known::default()
            }
        }
    }

    /// Reads what stands within an expression of which nothing is known as a whole.
    fn inside(&mut self, expr: &'a Expr, names: &Names) {
        match expr {
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.read(key.as_ref(), names);
                    self.read(value.as_ref(), names);
                }
            }
            Expr::UnaryExpr { expr, .. } => {
                self.read(expr.as_ref(), names);
            }
            Expr::BoolExpr { lhs, rhs, .. } | Expr::ArithExpr { lhs, rhs, .. } | Expr::AssignExpr { lhs, rhs, .. } => {
                self.read(lhs.as_ref(), names);
                self.read(rhs.as_ref(), names);
            }
            Expr::Membership { value, collection, .. } => {
                self.read(value.as_ref(), names);
                self.read(collection.as_ref(), names);
            }
            Expr::RefBrack { index, .. } => {
                self.read(index.as_ref(), names);
            }
            _ => {}
        }
    }

    fn reference(&mut self, expr: &'a Expr, names: &Names) -> Known {
        if let Some(known) = dotted(expr).and_then(|name| self.named(&name, names)) {
            self.note(&known, expr);
            return known;
        }
        let known = match expr {
            Expr::RefDot { refr, field, .. } => {
                self.read(refr.as_ref(), names).then(&Part::Field(field.0.text().to_owned()))
            }
            Expr::RefBrack { refr, index, .. } => {
                self.read(index.as_ref(), names);
                self.read(refr.as_ref(), names).then(&step(index.as_ref()))
            }
            _ => Known::default(),
        };
        self.note(&known, expr);
        known
    }

    /// What a dotted name stands for, when all of it is a name.
    fn named(&mut self, name: &str, names: &Names) -> Option<Known> {
        if name == "input" {
            return Some(Known::at(Path::default()));
        }
        if let Some(known) = names.get(name) {
            return Some(known.clone());
        }
        let first = name.split('.').next().unwrap_or(name);
        if first == "input" || names.contains_key(first) {
            return None;
        }
        let full = self.index.full(self.module, name)?;
        self.index.is_rule(&full).then(|| self.follow(&full, &[]))
    }

    /// Every definition of a rule or function; once for the same arguments.
    fn follow(&mut self, full: &str, arguments: &[Known]) -> Known {
        let key = (full.to_owned(), arguments.to_vec());
        if !self.seen.contains_key(&key) {
            if self.within.len() >= MAX_DEPTH || self.within.iter().any(|name| name == full) {
                return Known::default();
            }
            let followed = self.follow_anew(full, arguments);
            self.seen.insert(key.clone(), followed);
        }
        let Some((value, found)) = self.seen.get(&key) else { return Known::default() };
        if self.silent == 0 {
            self.found.extend(found.iter().cloned());
        }
        value.clone()
    }

    fn follow_anew(&mut self, full: &str, arguments: &[Known]) -> (Known, BTreeSet<Read>) {
        let (here, silent, outside) = (self.module, self.silent, std::mem::take(&mut self.found));
        self.silent = 0;
        self.within.push(full.to_owned());
        let index = self.index;
        let mut value = Known::default();
        for (module, rule) in index.rules(full) {
            self.module = module;
            value = value.or(self.rule(rule, arguments));
        }
        self.within.pop();
        (self.module, self.silent) = (here, silent);
        (value, std::mem::replace(&mut self.found, outside))
    }

    fn call(&mut self, fcn: &'a Expr, params: &'a [regorus::unstable::Ref<Expr>], names: &Names) -> Known {
        let arguments: Vec<Known> = params.iter().map(|param| self.read(param.as_ref(), names)).collect();
        let Some(name) = dotted(fcn) else { return Known::default() };
        if name == "object.get" {
            let known = arguments.first().cloned().unwrap_or_default();
            let key = params.get(1).map(regorus::unstable::Ref::as_ref);
            let reached =
                key.map_or_else(Known::default, |key| steps(key).iter().fold(known, |at, part| at.then(part)));
            self.note(&reached, fcn);
            return reached;
        }
        match self.index.full(self.module, &name) {
            Some(full) if self.index.is_rule(&full) => self.follow(&full, &arguments),
            _ => Known::default(),
        }
    }

    fn note(&mut self, known: &Known, expr: &Expr) {
        if self.silent > 0 {
            return;
        }
        let span = expr.span();
        for path in known.at.iter().filter(|path| !path.0.is_empty()) {
            self.found.insert(Read { path: path.clone(), file: span.source.file().clone(), line: span.line });
        }
    }
}

/// A name gets what is known; a pattern of several gets nothing.
fn bind(pattern: &Expr, known: Known, names: &mut Names) {
    if let Expr::Var { span, .. } = pattern {
        let before = names.remove(span.text()).unwrap_or_default();
        names.insert(span.text().to_owned(), before.or(known));
    }
}

fn step(index: &Expr) -> Part {
    match index {
        Expr::String { span, .. } | Expr::RawString { span, .. } => Part::Field(span.text().to_owned()),
        _ => Part::Each,
    }
}

/// The steps of the key of `object.get`.
fn steps(key: &Expr) -> Vec<Part> {
    match key {
        Expr::Array { items, .. } => items.iter().map(|item| step(item.as_ref())).collect(),
        other => vec![step(other)],
    }
}
