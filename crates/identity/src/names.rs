//! Names that people sign in with and that lists show: one spelling each, and no two members that look alike.
//!
//! Source: Unicode NFKC (UAX 15), and identifier profile, script mixing and confusable skeletons of UTS 39.

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::{GeneralSecurityProfile as _, MixedScript as _, skeleton};

use crate::IdentityError;

/// Bytes of a name after it was brought to one spelling.
pub const NAME_BYTES: usize = 128;
/// Bytes of a label: of a token, a key, a role.
const LABEL_BYTES: usize = 128;
/// What a name may hold beside letters and digits.
const MARKS: &str = "._-@+";

/// The one spelling of a login name: NFKC, an e-mail address in lower case.
///
/// # Errors
/// `InvalidName` for what is no name, `Confusable` for one that mixes scripts.
pub fn login(given: &str) -> Result<String, IdentityError> {
    // NFKC can make a text longer: what is far too long is not even brought to one spelling.
    if given.len() > 4 * NAME_BYTES {
        return Err(IdentityError::InvalidName);
    }
    let name: String = given.nfkc().collect();
    let name = if name.contains('@') { name.to_lowercase() } else { name };
    if !(1..=NAME_BYTES).contains(&name.len()) || !name.chars().all(fits) || !name.chars().any(char::is_alphanumeric) {
        return Err(IdentityError::InvalidName);
    }
    if !name.as_str().is_single_script() {
        return Err(IdentityError::Confusable(name));
    }
    Ok(name)
}

fn fits(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || MARKS.contains(character);
    }
    character.is_alphanumeric() && character.identifier_allowed()
}

/// What a name looks like: two names with one look cannot be told apart by a reader.
pub fn look(name: &str) -> String {
    let folded: String = name.nfkc().collect::<String>().to_lowercase();
    skeleton(&folded).collect::<String>().to_lowercase()
}

/// The first of `known` that looks like `name`.
pub fn alike<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = look(name);
    known.into_iter().find(|known| look(known) == wanted)
}

/// A label that lists show: 1 to 128 bytes without control characters, and without those that turn the direction of text
/// or cannot be seen.
pub fn label(given: &str) -> Result<String, IdentityError> {
    let label: String = given.trim().nfc().collect();
    let shown = |character: char| !character.is_control() && !hidden(character);
    if (1..=LABEL_BYTES).contains(&label.len()) && label.chars().all(shown) {
        Ok(label)
    } else {
        Err(IdentityError::InvalidLabel)
    }
}

fn hidden(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        for (given, wanted) in [
            ("ada", "ada"),
            ("Ada", "Ada"),
            ("Ada@Example.ORG", "ada@example.org"),
            ("ａｄａ", "ada"),
            ("mu\u{308}ller", "müller"),
            ("анна", "анна"),
            ("山田太郎", "山田太郎"),
        ] {
            assert_eq!(login(given).unwrap(), wanted, "{given}");
        }
    }

    #[test]
    fn a_name_that_mixes_scripts_is_refused_as_such() {
        // Cyrillic а and о among Latin letters.
        for given in ["аdmin", "admin@exаmple.org", "rооt"] {
            assert!(matches!(login(given), Err(IdentityError::Confusable(_))), "{given}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "x".repeat(NAME_BYTES + 1);
        let huge = "ﷺ".repeat(10_000);
        for given in ["", "a b", "a\nb", "a\u{202e}b", "a\u{200b}b", "<b>", "a/b", "..", "@", "a'b", "😀", &long, &huge]
        {
            assert!(matches!(login(given), Err(IdentityError::InvalidName)), "{given:?}");
        }
    }

    #[test]
    fn names_that_look_alike_are_found() {
        let known = ["admin", "modern", "lola", "анна"];
        for (given, like) in
            [("ADMIN", "admin"), ("rnodern", "modern"), ("1o1a", "lola"), ("adrnin", "admin"), ("lo1a", "lola")]
        {
            assert_eq!(alike(given, known), Some(like), "{given}");
        }
        assert_eq!(alike("ada", known), None);
        // One script throughout, and yet alike.
        assert_eq!(alike("аԁа", ["ada"]), Some("ada"));
    }

    #[test]
    fn a_label_shows_what_it_holds() {
        assert_eq!(label("  CI of team Ä ").unwrap(), "CI of team Ä");
        for given in ["", "   ", "a\nb", "a\u{202e}b", "\u{200b}", &"x".repeat(LABEL_BYTES + 1)] {
            assert!(matches!(label(given), Err(IdentityError::InvalidLabel)), "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn a_spelling_stays_as_it_is(given in "\\PC{0,20}") {
            if let Ok(name) = login(&given) {
                prop_assert_eq!(login(&name).unwrap(), name.clone());
                prop_assert_eq!(look(&look(&name)), look(&name));
            }
        }
    }
}
