//! Whether a key, or a file of keys, is the last way in of those who may become root.

use shieldops_model::Reason;
use shieldops_respond::Fault;

use super::{Sshd, ask_sshd, keys, places};
use crate::linux::{
    accounts::{self, Account},
    disable_user,
    ground::{Ground, MAX_TEXT, Outcome},
    lines::Place,
};

/// The most administrators whose ways in are looked for.
const MAX_ADMINISTRATORS: usize = 50;

/// A key, or every key, and the files that it goes out of.
struct Lost<'a> {
    key: Option<&'a str>,
    files: &'a [Place],
}

impl Lost<'_> {
    fn stays(&self, place: &Place, print: &str) -> bool {
        self.key.is_some_and(|key| key != print) || !self.files.iter().any(|file| file.path == place.path)
    }
}

/// Why the key has to stay: without it no administrator gets in any more. A key that only runs a command, a key with an end
/// and a key of an account that has expired are no way in, and neither is what cannot be read.
pub(super) fn last_way(on: &dyn Ground, account: &Account, sshd: &Sshd, key: &str) -> Outcome<Option<Reason>> {
    let administrators = administrators(on)?;
    let may = administrators.iter().any(|one| one.name == account.name);
    if !may || !sshd.keys || disable_user::login(on, &account.name).is_some_and(|login| login.expired) {
        return Ok(None);
    }
    let files = places(account, &sshd.patterns);
    let lost = Lost { key: Some(key), files: &files };
    if !has_key(on, &files, |_, print| print == key)? {
        return Ok(None);
    }
    Ok(without(on, &administrators, &lost, &format!("{key} of {}", account.name)))
}

/// Why a file has to stay where it is: without the keys in it no administrator gets in any more.
pub(in crate::linux) fn last_file(on: &dyn Ground, path: &str) -> Outcome<Option<Reason>> {
    let administrators = administrators(on)?;
    for one in administrators.iter().take(MAX_ADMINISTRATORS) {
        let sshd = ask_sshd(on, &one.name)?;
        let files: Vec<Place> = places(one, &sshd.patterns).into_iter().filter(|place| place.path == path).collect();
        // What cannot be read may let somebody in.
        let lets_in = sshd.keys && !files.is_empty() && has_key(on, &files, |_, _| true).unwrap_or(true);
        if lets_in && disable_user::login(on, &one.name).is_none_or(|login| !login.expired) {
            return Ok(without(on, &administrators, &Lost { key: None, files: &files }, path));
        }
    }
    Ok(None)
}

/// Those who may become root, and root.
fn administrators(on: &dyn Ground) -> Outcome<Vec<Account>> {
    let names = accounts::administrators(on)?;
    let all = accounts::accounts(&accounts::text(on, "/etc/passwd")?);
    Ok(all.into_iter().filter(|one| one.uid == 0 || names.contains(&one.name)).collect())
}

/// That nobody of them gets in without what is lost.
fn without(on: &dyn Ground, administrators: &[Account], lost: &Lost<'_>, what: &str) -> Option<Reason> {
    let mut unread = Vec::new();
    for one in administrators.iter().take(MAX_ADMINISTRATORS) {
        match ask_sshd(on, &one.name).and_then(|sshd| gets_in(on, one, &sshd, lost)) {
            Ok(true) => return None,
            Ok(false) => {}
            Err(trouble) => unread.push(format!("{}: {}", one.name, Fault::from(trouble))),
        }
    }
    let mut detail = format!("{what} is the last way in of those who may become root");
    if !unread.is_empty() {
        detail = format!("{detail}, as far as it could be read ({})", unread.join("; "));
    }
    Some(Reason { code: "last_management_key".to_owned(), detail })
}

/// Whether somebody gets in all the same: by another key, or by a password where sshd says that it takes theirs.
fn gets_in(on: &dyn Ground, one: &Account, sshd: &Sshd, lost: &Lost<'_>) -> Outcome<bool> {
    let Some(login) = disable_user::login(on, &one.name).filter(|login| !login.expired) else { return Ok(false) };
    if login.password && sshd.passwords {
        return Ok(true);
    }
    Ok(sshd.keys && has_key(on, &places(one, &sshd.patterns), |place, print| lost.stays(place, print))?)
}

fn has_key(on: &dyn Ground, places: &[Place], is: impl Fn(&Place, &str) -> bool) -> Outcome<bool> {
    for place in places {
        let Some(file) = on.read(&place.path, place.who, MAX_TEXT)? else { continue };
        let mut prints = file.bytes.split(|byte| *byte == b'\n').filter_map(keys::opening);
        if prints.any(|print| is(place, &print)) {
            return Ok(true);
        }
    }
    Ok(false)
}
