//! What a user may rely on: every problem at once, variables that nest, flags over all.

use super::{Flags, Loaded, Problem, Wrong, load_with, reference};

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(file: &str, pairs: &[(&str, &str)]) -> Result<Loaded, Wrong> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shieldops.toml");
    std::fs::write(&path, file).unwrap();
    load_with(&Flags { config: Some(path), ..Flags::default() }, variables(pairs))
}

fn keys(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.key.as_str()).collect()
}

#[test]
fn nothing_configured_is_a_working_server_on_loopback() {
    let loaded = load_with(&Flags::default(), Vec::new()).unwrap();
    assert_eq!(loaded.settings.listen.to_string(), "127.0.0.1:8420");
    assert_eq!(loaded.settings.bus.limits(1 << 20), shieldops_bus::Limits::default());
    assert_eq!(loaded.settings.ingest.max_body_bytes, 32 << 20);
    assert!(loaded.warnings.is_empty());
}

#[test]
fn every_problem_is_said_at_once_with_its_value_and_a_fix() {
    let Wrong { problems, warnings } = load(
        "listen = \"somewhere\"\nbehind_proxy = \"yes\"\n[bus]\nmax_byte = 5\nretention_hours = 0\n[log]\nlevel = \"loud\"\n\
         [tls]\ncert_file = \"/nowhere/cert.pem\"\n[ingest]\ntimezone = \"Mars/Olympus\"\n[[ingest.files]]\npth = \"x\"\n",
        &[("SHIELDOPS_DETECT__DEDUPE_WINDOW_S", "soon"), ("SHIELDOPS_OTHER", "x")],
    )
    .unwrap_err();
    assert_eq!(warnings.len(), 1, "what is odd is said beside what is wrong");
    for key in [
        "listen",
        "behind_proxy",
        "bus.max_byte",
        "bus.retention_hours",
        "log.level",
        "tls.key_file",
        "ingest.timezone",
        "ingest.files",
    ] {
        let problem = problems
            .iter()
            .find(|problem| problem.key == key)
            .unwrap_or_else(|| panic!("{key} in {:?}", keys(&problems)));
        assert!(!problem.fix.is_empty() && !problem.what.is_empty(), "{problem}");
    }
    let near = problems.iter().find(|problem| problem.key == "bus.max_byte").unwrap();
    assert!(near.fix.contains("bus.max_bytes"), "{near}");
    let variable = problems.iter().find(|problem| problem.key.contains("SHIELDOPS_DETECT__DEDUPE_WINDOW_S")).unwrap();
    assert!(variable.value.contains("soon"), "{variable}");
}

#[test]
fn two_underscores_nest_and_a_variable_wins_over_the_file() {
    let file = "[bus]\nmax_bytes = 1000000000\nretention_hours = 1\n";
    let loaded =
        load(file, &[("SHIELDOPS_BUS__MAX_BYTES", "2000000000"), ("SHIELDOPS_INGEST__SYSLOG__UDP", "127.0.0.1:5514")])
            .unwrap();
    assert_eq!(loaded.settings.bus.limits(1).max_bytes, 2_000_000_000);
    assert_eq!(loaded.settings.bus.limits(1).retention.as_secs(), 3_600);
    assert_eq!(loaded.settings.ingest.syslog.udp.unwrap().port(), 5514);
}

#[test]
fn a_list_in_a_variable_is_separated_by_commas_or_is_toml() {
    for text in ["/a,/b", "[\"/a\", \"/b\"]"] {
        let loaded = load("", &[("SHIELDOPS_RULES__DIRS", text)]).unwrap();
        assert_eq!(loaded.settings.rules.dirs.len(), 2, "{text}");
    }
}

#[test]
fn a_variable_that_looks_like_a_number_is_text_where_text_is_wanted() {
    let loaded = load("", &[("SHIELDOPS_DATA_DIR", "2024")]).unwrap();
    assert_eq!(loaded.settings.data_dir.to_str(), Some("2024"));
}

#[test]
fn an_unknown_variable_is_a_warning_and_ours_are_not() {
    let ours = [
        ("SHIELDOPS_TOKEN", "x"),
        ("SHIELDOPS_SERVER", "x"),
        ("SHIELDOPS_SHARED", "x"),
        ("SHIELDOPS_CRASH_AT", "apply"),
    ];
    let loaded = load("", &ours).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.settings.crash_at.as_deref(), Some("apply"));
    let loaded = load("", &[("SHIELDOPS_BUS_MAX_BYTES", "5")]).unwrap();
    assert!(loaded.warnings[0].contains("SHIELDOPS_BUS_MAX_BYTES"), "{:?}", loaded.warnings);
}

#[test]
fn flags_win_over_everything() {
    let flags = Flags {
        listen: Some("127.0.0.1:1".to_owned()),
        data_dir: Some("here".into()),
        roles: Some("api, respond".to_owned()),
        ..Flags::default()
    };
    let loaded = load_with(&flags, variables(&[("SHIELDOPS_LISTEN", "127.0.0.1:2")])).unwrap();
    assert_eq!(loaded.settings.listen.port(), 1);
    assert_eq!(loaded.settings.data_dir.to_str(), Some("here"));
    assert_eq!(loaded.settings.roles.to_string(), "respond,api");
}

#[test]
fn a_file_that_is_absent_or_no_toml_is_named() {
    let flags = Flags { config: Some("/nowhere/shieldops.toml".into()), ..Flags::default() };
    let problems = load_with(&flags, Vec::new()).unwrap_err().problems;
    assert!(problems[0].value.contains("/nowhere/shieldops.toml"));
    let problems = load("listen = \n", &[]).unwrap_err().problems;
    assert!(problems[0].what.contains("line 1"), "{}", problems[0]);
}

#[test]
fn a_rules_folder_that_is_not_there_yet_stops_nothing() {
    let loaded = load("[rules]\ndirs = [\"/nowhere\"]\n", &[]).unwrap();
    assert!(loaded.warnings[0].contains("/nowhere"));
}

#[test]
fn what_show_prints_is_a_configuration_that_means_the_same() {
    let loaded =
        load("[[ingest.files]]\npath = \"/var/log/auth.log\"\n[ingest.syslog]\ntcp = \"0.0.0.0:514\"\n", &[]).unwrap();
    let shown = toml::to_string(&loaded.raw).unwrap();
    assert_eq!(load(&shown, &[]).unwrap().raw, loaded.raw);
}

#[test]
fn every_setting_is_described_and_every_default_has_its_setting() {
    let keys = reference::keys();
    assert_eq!(keys.len(), 52);
    for key in &keys {
        assert!(key.docs.ends_with('.'), "{} has no description", key.name);
    }
    let page = super::reference();
    assert!(page.contains("## ingest.syslog.udp") && page.contains("`SHIELDOPS_INGEST__SYSLOG__UDP`"));
}

#[test]
fn ingest_and_detect_go_together_and_a_role_is_one_of_four() {
    for (roles, says) in
        [("ingest,api", "share"), ("detect", "share"), ("api,mind", "no such role"), ("", "no such role")]
    {
        let flags = Flags { roles: Some(roles.to_owned()), ..Flags::default() };
        let problems = load_with(&flags, Vec::new()).unwrap_err().problems;
        assert!(
            problems.iter().any(|problem| problem.key == "roles" && problem.what.contains(says)),
            "{roles}: {problems:?}"
        );
    }
    let flags = Flags { roles: Some("api".to_owned()), ..Flags::default() };
    let loaded = load_with(&flags, Vec::new()).unwrap();
    assert!(!loaded.settings.roles.owns_bus());
    assert!(loaded.warnings[0].contains("database.url"), "{:?}", loaded.warnings);
    let elsewhere = variables(&[("SHIELDOPS_DATABASE__URL", "postgres://app:secret@db/x")]);
    let loaded = load_with(&flags, elsewhere).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(!format!("{:?} {}", loaded.settings, toml::to_string(&loaded.raw).unwrap()).contains("secret"));
}

#[test]
fn the_public_address_is_that_of_a_site() {
    let with = |url: &str| load("", &[("SHIELDOPS_PUBLIC_URL", url)]);
    assert_eq!(with("https://s.example.org/").unwrap().settings.public_url.as_deref(), Some("https://s.example.org"));
    for url in ["s.example.org", "ftp://s.example.org", "https://s.example.org/path", "https://", "https://a@b"] {
        assert_eq!(keys(&with(url).unwrap_err().problems), ["public_url"], "{url}");
    }
}

#[test]
fn a_mail_server_is_checked_as_a_whole_and_speaks_plain_only_on_this_machine() {
    let fault = |file: &str| load(file, &[]).unwrap_err().problems;
    for (file, key) in [
        ("[smtp]\nfrom = \"a@example.org\"\n", "smtp.host"),
        ("[smtp]\nhost = \"mail.example.org\"\n", "smtp.from"),
        ("[smtp]\nhost = \"mail.example.org\"\nfrom = \"nobody\"\n", "smtp.from"),
        ("[smtp]\nhost = \"mail.example.org\"\nfrom = \"a@example.org\"\ntls = \"none\"\n", "smtp.tls"),
        ("[smtp]\nhost = \"mail.example.org\"\nfrom = \"a@example.org\"\ntls = \"maybe\"\n", "smtp.tls"),
        ("[smtp]\nhost = \"mail.example.org\"\nfrom = \"a@example.org\"\nuser = \"a\"\n", "smtp.password_file"),
        ("[smtp]\nhost = \"mail.example.org\"\nfrom = \"a@example.org\"\nport = 0\n", "smtp.port"),
        ("[smtp]\nhost = \"mail.example.org\"\nfrom = \"a@example.org\"\nca_file = \"/nowhere\"\n", "smtp.ca_file"),
        ("[egress]\nallow = [\"0.0.0.0/0\"]\n", "egress.allow"),
        ("[egress]\nallow = [\"inside\"]\n", "egress.allow"),
    ] {
        let problems = fault(file);
        assert!(problems.iter().any(|problem| problem.key == key && !problem.fix.is_empty()), "{file}: {problems:?}");
    }
    let good = "[smtp]\nhost = \"localhost\"\nport = 25\ntls = \"none\"\nfrom = \"a@example.org\"\n[egress]\nallow = [\"10.1.2.3\", \"fd00::/8\"]\n";
    let settings = load(good, &[]).unwrap().settings;
    assert_eq!(settings.smtp.map(|smtp| smtp.port), Some(25));
    assert_eq!(settings.egress.allow.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.1.2.3/32", "fd00::/8"]);
}
