//! Whether a removed key is the last way in of those who may become root.

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

/// A key, and the files that it goes out of.
struct Lost<'a> {
    key: &'a str,
    files: &'a [Place],
}

/// Why the key has to stay: without it no administrator gets in any more. A key that only runs a command, a key with an end
/// and a key of an account that has expired are no way in, and neither is what cannot be read.
pub(super) fn last_way(on: &dyn Ground, account: &Account, sshd: &Sshd, key: &str) -> Outcome<Option<Reason>> {
    let names = accounts::administrators(on)?;
    let may = |one: &Account| one.uid == 0 || names.contains(&one.name);
    if !may(account) || !sshd.keys || disable_user::login(on, &account.name).is_some_and(|login| login.expired) {
        return Ok(None);
    }
    let files = places(account, &sshd.patterns);
    let lost = Lost { key, files: &files };
    if !has_key(on, &files, |_, print| print == key)? || gets_in(on, account, sshd, &lost)? {
        return Ok(None);
    }
    let all = accounts::accounts(&accounts::text(on, "/etc/passwd")?);
    let mut unread = Vec::new();
    for other in all.iter().filter(|one| may(one) && one.name != account.name).take(MAX_ADMINISTRATORS) {
        match ask_sshd(on, &other.name).and_then(|sshd| gets_in(on, other, &sshd, &lost)) {
            Ok(true) => return Ok(None),
            Ok(false) => {}
            Err(trouble) => unread.push(format!("{}: {}", other.name, Fault::from(trouble))),
        }
    }
    let mut detail = format!("{key} of {} is the last way in of those who may become root", account.name);
    if !unread.is_empty() {
        detail = format!("{detail}, as far as it could be read ({})", unread.join("; "));
    }
    Ok(Some(Reason { code: "last_management_key".to_owned(), detail }))
}

/// Whether somebody gets in without the key: by another one, or by a password where sshd says that it takes theirs.
fn gets_in(on: &dyn Ground, one: &Account, sshd: &Sshd, lost: &Lost<'_>) -> Outcome<bool> {
    let Some(login) = disable_user::login(on, &one.name).filter(|login| !login.expired) else { return Ok(false) };
    if login.password && sshd.passwords {
        return Ok(true);
    }
    let stays =
        |place: &Place, print: &str| print != lost.key || !lost.files.iter().any(|file| file.path == place.path);
    Ok(sshd.keys && has_key(on, &places(one, &sshd.patterns), stays)?)
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
