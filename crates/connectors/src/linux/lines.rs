//! Lines of a text file that are put out of force and back: as a comment that carries our mark, in their own place.
//!
//! Whatever else is in the file stays as it is, byte for byte, whoever changes it meanwhile.

use serde::{Deserialize, Serialize};

use super::{
    authorized_key::keys,
    ground::{self, Ground, MAX_TEXT, Making, Outcome, Seen, Who, refused},
    hand::Job,
};

/// A file, and in whose name it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) who: Who,
}

/// Which lines are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Which {
    /// Of authorized_keys: those with the key of this fingerprint, whatever their options and comment.
    Key(String),
    /// Exactly this text, blanks around it aside.
    Text(String),
}

impl Which {
    fn is(&self, line: &[u8]) -> bool {
        match self {
            Self::Key(fingerprint) => keys::fingerprint(line).as_ref() == Some(fingerprint),
            Self::Text(text) => std::str::from_utf8(line).is_ok_and(|line| line.trim() == text),
        }
    }
}

/// One of the lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    pub path: String,
    pub line_sha256: String,
    pub enabled: bool,
}

/// A file as it was read: an undo that restores exactly it restores its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    pub path: String,
    pub sha256: String,
    pub mtime_ns: i64,
}

/// Every such line in some files, in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    pub copies: Vec<Copy>,
    /// Not compared.
    pub files: Vec<Whole>,
}

impl PartialEq for Lines {
    fn eq(&self, other: &Self) -> bool {
        self.copies == other.copies
    }
}

impl Lines {
    /// Whether a line is wanted in force; `None` where it is not known: somebody else's.
    fn wants(&self, path: &str, line_sha256: &str) -> Option<bool> {
        let known = || self.copies.iter().filter(|copy| copy.path == path && copy.line_sha256 == line_sha256);
        known().next()?;
        Some(known().any(|copy| copy.enabled))
    }

    /// Whether what is observed is what is wanted: out of force means that no line is in force, whoever wrote it; back in
    /// force means that none of ours is kept out. What somebody else added or removed meanwhile is theirs.
    pub(super) fn hold(&self, wanted: &Self) -> bool {
        if wanted.copies.iter().any(|copy| copy.enabled) {
            let kept_out = |copy: &Copy| !copy.enabled && wanted.wants(&copy.path, &copy.line_sha256) == Some(true);
            return !self.copies.iter().any(kept_out);
        }
        !self.copies.iter().any(|copy| copy.enabled)
    }

    /// Whether these are lines of `from`, each in force or not: a change of several files that ended half-way.
    pub(super) fn between(&self, from: &Self) -> bool {
        let names = |lines: &Self| {
            let mut names: Vec<_> =
                lines.copies.iter().map(|copy| (copy.path.clone(), copy.line_sha256.clone())).collect();
            names.sort();
            names
        };
        names(self) == names(from)
    }

    /// The same with every line in force, or none.
    pub(super) fn all(&self, enabled: bool) -> Self {
        let copies = self.copies.iter().map(|copy| Copy { enabled, ..copy.clone() }).collect();
        Self { copies, files: self.files.clone() }
    }
}

/// A line out of force.
pub(super) fn out(marker: &str, action: &str, line: &[u8]) -> Vec<u8> {
    [format!("# {marker}:{action} ").as_bytes(), line].concat()
}

/// The action in our mark, and the line that it keeps out of force: bytes, whatever they are.
pub(super) fn kept<'a>(marker: &str, line: &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let rest = line.strip_prefix(b"# ")?.strip_prefix(marker.as_bytes())?.strip_prefix(b":")?;
    let end = rest.iter().position(|byte| *byte == b' ')?;
    Some((std::str::from_utf8(rest.get(..end)?).ok()?, rest.get(end + 1..)?))
}

pub(super) fn read(on: &dyn Ground, places: &[Place], which: &Which) -> Outcome<Lines> {
    let marker = on.with().marker.clone();
    let (mut copies, mut files) = (Vec::new(), Vec::new());
    for place in places {
        let Some(file) = on.read(&place.path, place.who, MAX_TEXT)? else { continue };
        for line in file.bytes.split(|byte| *byte == b'\n') {
            let (enabled, line) = kept(&marker, line).map_or((true, line), |(_, line)| (false, line));
            if which.is(line) {
                let line_sha256 = ground::sha256(line);
                copies.push(Copy { path: place.path.clone(), line_sha256, enabled });
            }
        }
        let sha256 = ground::sha256(&file.bytes);
        files.push(Whole { path: place.path.clone(), sha256, mtime_ns: file.seen.mtime_ns });
    }
    Ok(Lines { copies, files })
}

/// The file with the lines so; what is not meant, and what nobody has a wish about, stays as it was.
fn rewritten(
    bytes: &[u8],
    which: &Which,
    marker: &str,
    action: &str,
    wanted: impl Fn(&[u8]) -> Option<bool>,
) -> Vec<u8> {
    let lines = bytes.split(|byte| *byte == b'\n').map(|raw| match kept(marker, raw) {
        Some((_, line)) if which.is(line) && wanted(line) == Some(true) => line.to_vec(),
        None if which.is(raw) && wanted(raw) == Some(false) => out(marker, action, raw),
        _ => raw.to_vec(),
    });
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// Why a file cannot be replaced.
fn check(path: &str, seen: &Seen) -> Outcome<()> {
    if seen.mounted {
        return refused(format!("{path} is mounted there: a mounted file cannot be replaced"));
    }
    if seen.immutable {
        return refused(format!("{path} is immutable or append-only: take that flag away first (chattr)"));
    }
    if seen.links > 1 {
        return refused(format!("{path} has {} names: the others would keep what it held", seen.links));
    }
    Ok(())
}

/// Puts lines out of force or back.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Set {
    pub(super) places: Vec<Place>,
    pub(super) which: Which,
    pub(super) action: String,
    pub(super) from: Lines,
    pub(super) to: Lines,
}

impl Job for Set {
    type Answer = ();
    const NAME: &'static str = "lines.set";
    const CHANGES: bool = true;

    fn run(self, on: &mut dyn Ground) -> Outcome<()> {
        let there = read(on, &self.places, &self.which)?;
        // Lines come back one file after the other: an undo that was cut off goes on.
        let goes_on = self.to.copies.iter().any(|copy| copy.enabled) && there.between(&self.from);
        if there != self.from && !goes_on {
            return refused("the lines changed since they were read: nothing was done");
        }
        for place in &self.places {
            // An earlier one that was lost may have left something; what cannot be taken away is in nobody's way.
            let _swept = ground::sweep(on, &place.path, place.who);
        }
        let marker = on.with().marker.clone();
        let mut ready = Vec::new();
        // Every file is judged before the first is written: what cannot be done as a whole is not begun.
        for place in &self.places {
            let Some(file) = on.read(&place.path, place.who, MAX_TEXT)? else { continue };
            let bytes = rewritten(&file.bytes, &self.which, &marker, &self.action, |line| {
                self.to.wants(&place.path, &ground::sha256(line))
            });
            if bytes == file.bytes {
                continue;
            }
            check(&place.path, &file.seen)?;
            ready.push((place, file.seen, bytes));
        }
        for (place, seen, bytes) in ready {
            let sha256 = ground::sha256(&bytes);
            let before = self.to.files.iter().find(|whole| whole.path == place.path && whole.sha256 == sha256);
            let making = Making::like(&seen, before.map(|whole| whole.mtime_ns));
            on.write(&place.path, place.who, Some(&seen), &bytes, making)?;
        }
        Ok(())
    }

    fn sweep(self, on: &mut dyn Ground) -> Outcome<()> {
        self.places.iter().try_for_each(|place| ground::sweep(on, &place.path, place.who))
    }
}

/// What of some files we keep out of force: file, action, line.
pub(super) fn marked(on: &dyn Ground, places: &[Place]) -> Vec<(String, String, Vec<u8>)> {
    let marker = on.with().marker.clone();
    let mut found = Vec::new();
    for place in places {
        // What cannot be read has nothing of ours: we would not have written it.
        let Ok(Some(file)) = on.read(&place.path, place.who, MAX_TEXT) else { continue };
        let lines = file.bytes.split(|byte| *byte == b'\n');
        let ours = lines.filter_map(|line| kept(&marker, line));
        found.extend(ours.map(|(action, line)| (place.path.clone(), action.to_owned(), line.to_vec())));
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARKER: &str = "shieldops:0123456789abcdef";

    fn off(text: &[u8], line: &str) -> Vec<u8> {
        rewritten(text, &Which::Text(line.to_owned()), MARKER, "act_1", |_| Some(false))
    }

    fn on(text: &[u8], line: &str) -> Vec<u8> {
        rewritten(text, &Which::Text(line.to_owned()), MARKER, "act_2", |_| Some(true))
    }

    #[test]
    fn every_copy_goes_out_of_force_in_its_place_and_comes_back() {
        let text = b"# kept\n*/5 * * * * /tmp/x\nother\n  */5 * * * * /tmp/x \n\xff\xfe\nlast without end";
        let gone = off(text, "*/5 * * * * /tmp/x");
        let shown = String::from_utf8_lossy(&gone).into_owned();
        assert_eq!(shown.matches("# shieldops:0123456789abcdef:act_1 ").count(), 2, "{shown}");
        assert!(shown.starts_with("# kept\n# shieldops:"), "{shown}");
        assert_eq!(on(&gone, "*/5 * * * * /tmp/x"), text);
    }

    #[test]
    fn another_installation_s_mark_is_left_alone() {
        let theirs = b"# shieldops:ffffffffffffffff:act_1 */5 * * * * /tmp/x\n";
        assert_eq!(on(theirs, "*/5 * * * * /tmp/x"), theirs);
    }

    #[test]
    fn a_line_that_is_no_text_or_is_long_goes_out_of_force_too_and_comes_back() {
        let key: &[u8] = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPkZQhZ4b1N6nDCgOM0tBhdC3cjpPDv4q0FYBq9xJ7n";
        let which = Which::Key(keys::fingerprint(key).unwrap());
        for comment in [&b" caf\xe9"[..], &b" ".repeat(40_000)[..], b"\0\xff", b" plain"] {
            let text = [b"# first\n", key, comment, b"\nlast"].concat();
            let gone = rewritten(&text, &which, MARKER, "act_1", |_| Some(false));
            assert!(!gone.split(|byte| *byte == b'\n').any(|line| which.is(line)), "{comment:?}");
            assert_eq!(rewritten(&gone, &which, MARKER, "act_2", |_| Some(true)), text);
        }
    }

    fn lines(copies: &[(&str, bool)]) -> Lines {
        let copy = |(line, enabled): &(&str, bool)| Copy {
            path: "/p".to_owned(),
            line_sha256: (*line).to_owned(),
            enabled: *enabled,
        };
        Lines { copies: copies.iter().map(copy).collect(), files: Vec::new() }
    }

    #[test]
    fn a_line_that_somebody_adds_breaks_a_removal_and_is_left_alone_by_its_undo() {
        let (before, gone) = (lines(&[("a", true)]), lines(&[("a", false)]));
        assert!(gone.hold(&gone) && !before.hold(&gone) && before.hold(&before) && !gone.hold(&before));
        let added = lines(&[("a", false), ("b", true)]);
        assert!(!added.hold(&gone), "the key lets somebody in again");
        assert!(lines(&[("a", true), ("b", true)]).hold(&before) && !added.hold(&before));
        assert_eq!(
            (before.wants("/p", "b"), before.wants("/q", "a"), gone.wants("/p", "a")),
            (None, None, Some(false))
        );
    }

    proptest! {
        #[test]
        fn a_file_comes_back_byte_for_byte(before in prop::collection::vec(any::<u8>(), 0..200), after in prop::collection::vec(any::<u8>(), 0..200), line in "[0-9*][ -~]{0,40}") {
            let line = line.trim().to_owned();
            let text = [before.as_slice(), b"\n", line.as_bytes(), b"\n", after.as_slice()].concat();
            let gone = off(&text, &line);
            prop_assert!(gone != text);
            prop_assert!(!gone.split(|byte| *byte == b'\n').any(|it| Which::Text(line.clone()).is(it)));
            prop_assert_eq!(on(&gone, &line), text);
        }
    }
}
