//! How large a rule may become under pipelines.

use super::draft::Line;

/// Lines that pipelines may make of one rule.
pub(super) const MAX_LINES: usize = 5_000;
/// Values that pipelines may make of one rule.
pub(super) const MAX_VALUES: usize = 200_000;
/// Bytes of all values and field names that pipelines may make of one rule.
pub(super) const MAX_BYTES: usize = 8 * 1_024 * 1_024;
/// Lines and values that all steps together may look at in one rule.
pub(super) const MAX_LOOKED_AT: usize = 20_000_000;

/// How much there is of a rule.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    pub(super) lines: usize,
    pub(super) values: usize,
    pub(super) bytes: usize,
}

impl Size {
    pub(super) const MOST: Self = Self { lines: MAX_LINES, values: MAX_VALUES, bytes: MAX_BYTES };

    pub(super) fn of(line: &Line) -> Self {
        let texts = line.values.iter().map(|value| value.now.bytes()).fold(0, usize::saturating_add);
        let name = line.field.as_ref().map_or(0, String::len);
        Self { lines: 1, values: line.values.len(), bytes: texts.saturating_add(name) }
    }

    /// The line `times` over.
    pub(super) fn times(self, times: usize) -> Self {
        Self {
            lines: self.lines.saturating_mul(times),
            values: self.values.saturating_mul(times),
            bytes: self.bytes.saturating_mul(times),
        }
    }

    pub(super) fn without(self, other: Self) -> Option<Self> {
        Some(Self {
            lines: self.lines.checked_sub(other.lines)?,
            values: self.values.checked_sub(other.values)?,
            bytes: self.bytes.checked_sub(other.bytes)?,
        })
    }
}
