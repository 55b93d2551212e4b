//! Recovery codes: ten, each good once, for the day the authenticator is lost. Eighty random bits a code, so a plain
//! hash of it is as good as a slow one.

use rand::Rng;
use sha2::{Digest as _, Sha256};
use shieldops_model::UserId;

/// How many there are.
pub(crate) const CODES: usize = 10;
const CHARACTERS: usize = 16;
const GROUP: usize = 4;
/// Crockford's base32, lower case: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LABEL: &[u8] = b"shieldops/v1/recovery";

/// Fresh codes, as they are shown once.
pub(crate) fn mint(rng: &mut impl Rng) -> Vec<String> {
    (0..CODES).map(|_| one(rng)).collect()
}

fn one(rng: &mut impl Rng) -> String {
    let mut bytes = [0_u8; CHARACTERS];
    rng.fill_bytes(&mut bytes);
    let letters: Vec<char> =
        bytes.iter().map(|byte| ALPHABET.get(usize::from(byte & 31)).copied().map_or('0', char::from)).collect();
    letters.chunks(GROUP).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// What is stored of a code: bound to its person, so that equal codes of two people are not seen to be equal. Nothing
/// for a text that cannot be a code. Case, dashes and spaces do not matter, and o, i, l are read as 0, 1, 1.
pub(crate) fn hash(person: UserId, given: &str) -> Option<[u8; 32]> {
    if given.len() > 4 * CHARACTERS {
        return None;
    }
    let read = given.chars().filter(|character| !character.is_whitespace() && *character != '-');
    let code: String = read
        .map(|character| match character.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect();
    let known = |character: char| u8::try_from(character).is_ok_and(|byte| ALPHABET.contains(&byte));
    if code.len() != CHARACTERS || !code.chars().all(known) {
        return None;
    }
    let mut hasher = Sha256::new();
    hasher.update(LABEL);
    hasher.update(person.to_bytes());
    hasher.update(code.as_bytes());
    Some(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn codes_differ_and_are_read_as_people_type_them() {
        let codes = mint(&mut StdRng::seed_from_u64(1));
        let person = UserId::from_bits(1);
        let mut hashes: Vec<_> = codes.iter().map(|code| hash(person, code).unwrap()).collect();
        let first = codes.first().unwrap();
        assert_eq!((first.len(), codes.len()), (19, CODES));
        let typed = [first.to_uppercase(), first.replace('-', ""), first.replace('-', " "), first.replace('0', "O")];
        assert!(typed.iter().all(|typed| hash(person, typed) == hash(person, first)));
        assert_ne!(hash(UserId::from_bits(2), first), hash(person, first));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), CODES);
    }

    #[test]
    fn what_is_no_code_has_no_hash() {
        let person = UserId::from_bits(1);
        for given in
            ["", "0000-0000-0000-000", "0000-0000-0000-00000", "uuuu-0000-0000-0000", "ä", &"0".repeat(100_000)]
        {
            assert_eq!(hash(person, given), None, "{given}");
        }
    }
}
