//! The score of a test that kills: printed as a row of a table, and a failure when anything is in it but kills.

use rand::{SeedableRng as _, rngs::StdRng};

#[derive(Default)]
pub(crate) struct Tally {
    kind: &'static str,
    pub(crate) kills: u32,
    lost: Vec<String>,
    doubled: Vec<String>,
    misreported: Vec<String>,
}

impl Tally {
    pub(crate) fn new(kind: &'static str) -> Self {
        Self { kind, ..Self::default() }
    }

    pub(crate) fn lost(&mut self, what: String) {
        self.lost.push(what);
    }

    pub(crate) fn doubled(&mut self, what: String) {
        self.doubled.push(what);
    }

    pub(crate) fn misreported(&mut self, what: String) {
        self.misreported.push(what);
    }

    /// # Panics
    /// When anything was lost, doubled or misreported.
    pub(crate) fn close(self) {
        eprintln!("| {:<28} | {:>5} | {:>4} | {:>7} | {:>11} |", "kind", "kills", "lost", "doubled", "misreported");
        let (lost, doubled, wrong) = (self.lost.len(), self.doubled.len(), self.misreported.len());
        eprintln!("| {:<28} | {:>5} | {lost:>4} | {doubled:>7} | {wrong:>11} |", self.kind, self.kills);
        let all: Vec<String> = [self.lost, self.doubled, self.misreported].concat();
        assert!(all.is_empty(), "{}", all.into_iter().take(20).collect::<Vec<_>>().join("\n"));
    }
}

/// Seeded from `CRASH_SEED` where that is set, and printed, so that a bad run can be repeated.
pub(crate) fn rng() -> StdRng {
    let given = std::env::var_os("CRASH_SEED").and_then(|seed| seed.to_str()?.parse().ok());
    let seed: u64 = given.unwrap_or_else(rand::random);
    eprintln!("CRASH_SEED={seed}");
    StdRng::seed_from_u64(seed)
}
