//! Policies as syntax trees: which facts of the input each rule reads, through variables, functions and other rules.
//! Used to check paths against the schema, and to explain a decision. It follows names; what it cannot follow it
//! leaves out.

mod names;
mod reads;
mod walk;

use std::fmt;

#[cfg(test)]
pub(crate) use names::rules_without_arguments;
pub(crate) use names::{Index, dotted, head_of, name_of, package_of};
pub(crate) use reads::reads_of;
pub(crate) use walk::{Node, walk};

/// One step of a path into the input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Field(String),
    /// Every member of a list or an object.
    Each,
}

/// A path into the input; empty: the input itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Path(pub(crate) Vec<Part>);

impl Path {
    pub(crate) fn then(&self, part: Part) -> Self {
        let mut parts = self.0.clone();
        parts.push(part);
        Self(parts)
    }

    pub(crate) fn begins_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("input")?;
        for part in &self.0 {
            match part {
                Part::Field(name) => write!(f, ".{name}")?,
                Part::Each => f.write_str("[_]")?,
            }
        }
        Ok(())
    }
}

/// A path that is read, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Read {
    pub(crate) path: Path,
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// What is known of the value of an expression.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Known {
    /// It may be what stands at these paths.
    pub(crate) at: Vec<Path>,
    /// It may be a collection of what stands at these.
    pub(crate) of: Vec<Path>,
}

impl Known {
    pub(crate) fn at(path: Path) -> Self {
        Self { at: vec![path], of: Vec::new() }
    }

    /// What a step leads to.
    pub(crate) fn then(&self, part: &Part) -> Self {
        let mut at: Vec<Path> = self.at.iter().map(|path| path.then(part.clone())).collect();
        at.extend(self.of.iter().cloned());
        Self { at, of: Vec::new() }
    }

    /// A collection of it.
    pub(crate) fn many(self) -> Self {
        Self { at: Vec::new(), of: self.at }
    }

    pub(crate) fn or(mut self, other: Self) -> Self {
        self.at.extend(other.at);
        self.of.extend(other.of);
        for paths in [&mut self.at, &mut self.of] {
            paths.sort();
            paths.dedup();
        }
        self
    }
}

#[cfg(test)]
mod tests;
