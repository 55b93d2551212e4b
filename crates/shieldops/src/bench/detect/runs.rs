//! Timed runs: every thread takes the next piece of lines, for the engine and for the parser alike. The lines are found
//! beforehand on both sides.

use std::{
    hint::black_box,
    ops::Range,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Instant,
};

use shieldops_detect::{RuleSet, SourceFields, Worker};

use crate::output::Failure;

/// A file of events and its lines.
pub(in crate::bench) struct Input<'b> {
    bytes: &'b [u8],
    pub(in crate::bench) lines: Vec<Range<usize>>,
}

/// Bytes that a thread takes at once.
const PIECE: usize = 512 * 1024;

impl<'b> Input<'b> {
    pub(in crate::bench) fn new(bytes: &'b [u8], most: usize) -> Self {
        let mut start = 0;
        let ends =
            memchr::memchr_iter(b'\n', bytes).chain(bytes.last().filter(|last| **last != b'\n').map(|_| bytes.len()));
        let lines = ends.map(|end| {
            let line = start..end;
            start = end + 1;
            line
        });
        Self { bytes, lines: lines.filter(|line| !line.is_empty()).take(most).collect() }
    }

    /// Bytes of the lines from this one on.
    pub(super) fn bytes_of(&self, first: usize) -> usize {
        let start = self.lines.get(first).map_or(0, |line| line.start);
        self.lines.last().map_or(0, |line| line.end.saturating_sub(start))
    }

    /// The lines in pieces of about `PIECE` bytes.
    fn pieces(&self, lines: Range<usize>) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let mut first = lines.start;
        for at in lines.clone() {
            let size = self.lines[at].end - self.lines[first].start;
            if size >= PIECE || at + 1 == lines.end {
                pieces.push(first..at + 1);
                first = at + 1;
            }
        }
        pieces
    }
}

pub(super) struct Run<'r> {
    pub(super) set: &'r RuleSet,
    pub(super) fields: &'r SourceFields,
    pub(super) input: &'r Input<'r>,
    /// Lines that are not timed.
    pub(super) learn: usize,
    pub(super) threads: usize,
}

/// Seconds of each round.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) engine: Vec<f64>,
    pub(super) parse: Vec<f64>,
    pub(super) matches: u64,
}

impl Run<'_> {
    /// New engines and parses in turn.
    pub(super) fn rounds(&self, rounds: u32) -> Result<Measured, Failure> {
        let mut measured = Measured::default();
        for round in 0..rounds {
            self.set.reset_learning();
            let mut workers: Vec<Worker> = (0..self.threads).map(|_| Worker::new()).collect();
            let (_, before) = self.detect(0..self.learn, &mut workers);
            let (engine, found) = self.detect(self.learn..self.input.lines.len(), &mut workers);
            let bad: u64 = workers.iter().map(|worker| worker.stats().bad_events).sum();
            if bad > 0 {
                return Err(Failure::unusable(format!("{bad} events cannot be read")));
            }
            self.parse(0..self.learn)?;
            let parse = self.parse(self.learn..self.input.lines.len())?;
            let matches = before + found;
            if round > 0 && matches != measured.matches {
                return Err(Failure::refused(format!(
                    "{matches} matches after {} in the round before",
                    measured.matches
                )));
            }
            measured.matches = matches;
            measured.engine.push(engine);
            measured.parse.push(parse);
        }
        Ok(measured)
    }

    fn detect(&self, lines: Range<usize>, workers: &mut [Worker]) -> (f64, u64) {
        let (pieces, next, matches) = (self.input.pieces(lines), AtomicUsize::new(0), AtomicU64::new(0));
        let work = |worker: &mut Worker| {
            let mut found = 0_u64;
            while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                let lines = &self.input.lines[piece.clone()];
                self.set.scan_lines(worker, self.fields, lines, self.input.bytes, &mut |event, rule| {
                    found += 1;
                    black_box((event, rule.index));
                });
            }
            matches.fetch_add(found, Ordering::Relaxed);
        };
        let began = Instant::now();
        std::thread::scope(|scope| workers.iter_mut().for_each(|worker| drop(scope.spawn(|| work(worker)))));
        (began.elapsed().as_secs_f64(), matches.into_inner())
    }

    /// Every line as a whole tree of values that is dropped at once.
    fn parse(&self, lines: Range<usize>) -> Result<f64, Failure> {
        let (pieces, next, bad) = (self.input.pieces(lines), AtomicUsize::new(0), AtomicU64::new(0));
        let work = || {
            while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                for line in &self.input.lines[piece.clone()] {
                    let value = sonic_rs::from_slice::<sonic_rs::Value>(&self.input.bytes[line.clone()]);
                    if black_box(value).is_err() {
                        bad.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        };
        let began = Instant::now();
        std::thread::scope(|scope| (0..self.threads).for_each(|_| drop(scope.spawn(work))));
        let took = began.elapsed().as_secs_f64();
        match bad.into_inner() {
            0 => Ok(took),
            bad => Err(Failure::unusable(format!("{bad} lines are no JSON"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_in_one_piece() {
        let bytes = format!("{}\n\n{{}}", "x".repeat(PIECE + 7)).into_bytes();
        let input = Input::new(&bytes, usize::MAX);
        assert_eq!(input.lines, [0..PIECE + 7, PIECE + 9..PIECE + 11]);
        assert_eq!(input.pieces(0..2), [0..1, 1..2]);
        assert_eq!(Input::new(b"1\n2\n3\n", 2).pieces(0..2), std::slice::from_ref(&(0..2)));
        assert_eq!((Input::new(b"", 9).pieces(0..0), input.bytes_of(1)), (Vec::new(), 2));
    }
}
