//! Generated rules and events that have much in common, so that many pairs are near a match. The same number gives the same
//! rules and events on every machine.

mod events;
mod rules;

pub(crate) use self::{events::event, rules::rule};

/// A row of numbers that look like chance, or that bytes say.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    state: u64,
    bytes: std::collections::VecDeque<u8>,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, bytes: std::collections::VecDeque::new() }
    }

    /// A byte for each throw; where they end it goes on by chance. For the fuzz target.
    #[allow(dead_code, reason = "the tests throw by numbers alone")]
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self { bytes: bytes.iter().copied().collect(), ..Self::new(bytes.len() as u64) }
    }

    fn roll(&mut self) -> u64 {
        if let Some(byte) = self.bytes.pop_front() {
            return u64::from(byte);
        }
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// From 0 to below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }

    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Names that rules ask for and events have.
const FIELDS: [&str; 10] =
    ["Image", "CommandLine", "User", "EventID", "Data", "a.b", "a.b.c", "Port", "Title", "Address"];

/// A field that holds times, or what is none.
const TIME: &str = "Time";
const TIMES: [&str; 8] = [
    "2025-12-29T23:59:01+02:00",
    "2025-01-01 10:15:00",
    "2024-02-29T12:59:59.1Z",
    "2021-01-01T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "2025-10-29 53:00",
    "never",
    "",
];

/// Texts that both take their values from.
const TEXTS: [&str; 40] = [
    r"C:\Windows\System32\cmd.exe",
    r"C:\Users\me\Desktop\x.exe",
    r"\\server\share\a",
    r"\Desktop\",
    r"x\\y\",
    "/usr/bin/ncat",
    "powershell -enc SQBFAFgA /w hidden",
    "procdump -accepteula -ma lsass",
    "reg add HKLM \u{2013}f",
    "wi-fi a - b",
    "scp user@host:/tmp",
    "GRÜSSE aus Köln",
    "stra\u{df}e STRASSE \u{1e9e}",
    "\u{212a}elvin and K",
    "\u{130}stanbul I i",
    "\u{3a3}\u{3c3}\u{3c2}",
    "日本語 text",
    "a*b",
    "a?c",
    r"a\*b\?c",
    "[a]{1}^$.|+",
    "line\nbreak\ttab",
    "nul\u{0}byte",
    "quote\"quote'",
    "%Admins%",
    "",
    " ",
    "-",
    "null",
    "true",
    "4688",
    "1",
    "1.0",
    "010",
    "0x3e7",
    "-3.50e1",
    "9007199254740993",
    "18446744073709551617",
    "10.1.2.3",
    "2025-12-29T23:59:01+02:00",
];

/// A text, or a part of one.
fn text(dice: &mut Dice) -> String {
    let whole: Vec<char> = dice.pick(&TEXTS).chars().collect();
    if whole.len() < 3 || dice.percent(40) {
        return whole.into_iter().collect();
    }
    let start = dice.below(whole.len());
    let length = 1 + dice.below(whole.len() - start);
    whole[start..start + length].iter().collect()
}

/// Letters of the other case here and there.
fn other_case(text: &str, dice: &mut Dice) -> String {
    let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    text.chars().map(|c| if c.is_ascii() && dice.percent(30) { swap(c) } else { c }).collect()
}
