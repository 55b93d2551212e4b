//! Files of policies as a request brings them: held to what a tenant may write, and their tests run, away from the requests.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use shieldops_model::{Code, Reason};
use shieldops_policy::{
    PolicyError,
    suite::SuiteReport,
    tenant::{self, MAX_FILES},
};
use shieldops_store::gate::policies::File;
use utoipa::ToSchema;

use crate::{Problem, rules::blocking};

/// Characters of a path.
const PATH: usize = 128;
/// Mistakes that are named at once.
const SAID: usize = 100;

/// A file of a tenant's policies.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyText {
    /// `nights.rego`; with `_test.rego` at its end it holds tests.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Files that can be used.
pub(super) struct Tried {
    pub(super) files: Vec<File>,
    /// Of the files alone, and of all policies that would decide with them.
    pub(super) hash: String,
    pub(super) policy_hash: String,
    pub(super) tests: SuiteReport,
}

/// Everything that is wrong with files, or what they come to.
pub(super) async fn tried(texts: Vec<PolicyText>) -> Result<Result<Tried, Vec<PolicyError>>, Problem> {
    let wrong: Vec<PolicyError> = texts.iter().take(MAX_FILES + 1).filter_map(|file| misnamed(&file.path)).collect();
    if !wrong.is_empty() {
        return Ok(Err(wrong));
    }
    if texts.iter().all(|file| file.path.ends_with("_test.rego")) {
        return Ok(Err(vec![about_all("there is no policy among the files: to have none, deactivate them")]));
    }
    let mut files: Vec<File> = texts.into_iter().map(|file| (file.path, file.text)).collect();
    files.sort();
    tried_again(files).await
}

/// The same of files that were taken before.
pub(super) async fn tried_again(files: Vec<File>) -> Result<Result<Tried, Vec<PolicyError>>, Problem> {
    blocking(move || {
        let (policy, tests) = tenant::tested(&files)?;
        Ok(Tried { hash: hash(&files), policy_hash: policy.hash().to_owned(), tests, files })
    })
    .await
}

fn misnamed(path: &str) -> Option<PolicyError> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c))
    };
    let good = path.len() <= PATH && path.strip_suffix(".rego").is_some() && path.split('/').all(plain);
    let shown: String = path.chars().take(PATH).collect();
    let why = "the path must be of a-z, 0-9, `_`, `-`, `.` and `/`, end in `.rego` and have at most 128 characters";
    (!good).then(|| PolicyError { file: shown, line: None, why: why.to_owned() })
}

fn about_all(why: &str) -> PolicyError {
    PolicyError { file: String::new(), line: None, why: why.to_owned() }
}

/// Each part with its length.
fn hash(files: &[File]) -> String {
    let mut hash = Sha256::new();
    for part in files.iter().flat_map(|(path, text)| [path, text]) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// What is wrong with files, as the errors of a problem: each by its place.
pub(super) fn refused(errors: &[PolicyError]) -> Problem {
    let reason = |error: &PolicyError| {
        let code = match (error.file.as_str(), error.line) {
            ("", _) => "files".to_owned(),
            (file, None) => file.to_owned(),
            (file, Some(line)) => format!("{file}:{line}"),
        };
        Reason { code, detail: error.why.clone() }
    };
    let errors = errors.iter().take(SAID).map(reason).collect();
    Problem { errors, ..Problem::new(Code::INVALID_POLICY, Code::INVALID_POLICY.help) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_plain_and_stays_where_it_is() {
        for good in ["nights.rego", "shop/till-2.rego", "a_test.rego"] {
            assert_eq!(misnamed(good), None, "{good}");
        }
        let long = format!("{}.rego", "a".repeat(PATH));
        for bad in ["", "nights", "../a.rego", "/a.rego", "a//b.rego", "A.rego", ".rego", "a b.rego", "ä.rego", &long]
        {
            assert!(misnamed(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_hash_of_files_tells_a_name_from_a_text() {
        let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        assert_ne!(hash(&[file("ab", "c")]), hash(&[file("a", "bc")]));
        assert_ne!(hash(&[file("a", "b"), file("c", "d")]), hash(&[file("a", "bc"), file("", "d")]));
    }
}
