//! What somebody at a terminal types and reads: names where names are what commands take.

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use super::*;

/// A profile of this person in a folder of their own.
fn profile(home: &Path, url: &str, person: &Caller) {
    let token = person.headers.iter().find_map(|(_, value)| value.strip_prefix("Bearer ")).unwrap();
    let file = home.join("shieldops/profiles.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, format!("current = \"work\"\n[profile.work]\nserver = \"{url}\"\ntoken = \"{token}\"\n"))
        .unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Exit code, and what was said on both outputs.
fn typed(home: &Path, line: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shieldops"));
    for name in ["SHIELDOPS_SERVER", "SHIELDOPS_TOKEN", "SHIELDOPS_PROFILE", "SHIELDOPS_TENANT"] {
        command.env_remove(name);
    }
    let output = command.args(line.split(' ')).env("XDG_CONFIG_HOME", home).env("HOME", home).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said)
}

#[test]
fn a_profile_does_not_turn_to_a_tenant_that_its_person_is_not_in() {
    let site = Site::start(&[]);
    let (org, home) = (site.tenant("mine", "Mine", None), tempfile::tempdir().unwrap());
    site.tenant("theirs", "Theirs", None);
    profile(home.path(), site.url(), &Org::token_of(&org.admin, "terminal").1);
    let before = typed(home.path(), "alert list");
    assert_eq!(before.0, 0, "{}", before.1);
    for other in ["theirs", "nowhere"] {
        let (code, said) = typed(home.path(), &format!("tenant use {other}"));
        assert!(code == 1 && said.contains("stays as it is"), "{code} {said}");
    }
    assert_eq!(typed(home.path(), "alert list"), before, "and works as before");
    let (code, said) = typed(home.path(), "tenant use mine");
    assert!(code == 0 && said.contains("works in mine"), "{said}");
    let (code, said) = typed(home.path(), "tenant use Mi_ne");
    assert!(code == 2 && said.contains("a slug has"), "{said}");
}

#[test]
fn a_table_says_parents_by_slug_and_roles_by_name() {
    let site = Site::start(&[]);
    let (org, home) = (site.tenant("above", "Above", None), tempfile::tempdir().unwrap());
    site.tenant("below", "Below", Some("above"));
    profile(home.path(), site.url(), &Org::token_of(&site.operator, "terminal").1);
    let (code, said) = typed(home.path(), "tenant list");
    let row = said.lines().find(|line| line.contains("below")).unwrap_or_else(|| panic!("{code} {said}"));
    assert!(row.contains("above") && !said.contains("tnt_"), "{said}");
    let role =
        text(&org.admin.post("/api/v1/roles", &json!({"name": "night-shift", "permissions": ["alert.read"]}))["id"]);
    org.member("nia", &role);
    profile(home.path(), site.url(), &Org::token_of(&org.admin, "terminal").1);
    for line in ["user list", "user show nia"] {
        let (code, said) = typed(home.path(), line);
        assert!(code == 0 && said.contains("night-shift") && !said.contains("rol_"), "{line}: {said}");
    }
}

#[test]
fn a_folder_that_is_no_installation_is_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let slip = home.path().join("typo");
    let line = format!("db copy --data-dir {} --to postgres://nobody@127.0.0.1:1/none", slip.display());
    let (code, said) = typed(home.path(), &line);
    assert!(code != 0 && said.contains("holds no state.db"), "{code} {said}");
    assert!(!slip.exists(), "nothing was made");
}
