//! Nothing can be done that only the API can do: every operation of its description has a command, and the command calls
//! it. The commands run against a listener that writes down what it is asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests: a wrong step ends the test")]

#[path = "support/asked.rs"]
mod asked;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
};

use asked::Listener;
use serde_json::Value;

/// Operations that take a browser, with the reason.
const BROWSER: [(&str, &str); 5] = [
    ("begin_passkey_sign_in", "the browser holds the passkey"),
    ("finish_passkey_sign_in", "the browser holds the passkey"),
    ("begin_passkey", "the browser makes the passkey"),
    ("finish_passkey", "the browser makes the passkey"),
    ("reauthenticate", "a command that changes a credential signs in afresh, which says it already"),
];

/// Operation, command line, and what is typed.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("sign_in", "me password --name ann", "old-password\nnew-password\n"),
    ("finish_sign_in", "me recovery-codes --name two", "old-password\n123456\n"),
    ("sign_out", "me password --name ann", "old-password\nnew-password\n"),
    ("claim_admin_link", "login --claim https://s/#claim=soa_x", "new-password\n"),
    ("reset_password", "me reset-password https://s/#reset=sor_x", "new-password\n"),
    ("get_me", "me", ""),
    ("list_my_permissions", "me permissions", ""),
    ("change_password", "me password --name ann", "old-password\nnew-password\n"),
    ("get_my_factors", "me factors", ""),
    ("begin_totp", "me totp --name ann", "old-password\n123456\n"),
    ("confirm_totp", "me totp --name ann", "old-password\n123456\n"),
    ("remove_totp", "me totp-remove --name ann", "old-password\n"),
    ("make_recovery_codes", "me recovery-codes --name ann", "old-password\n"),
    ("list_my_passkeys", "me passkeys", ""),
    ("remove_passkey", "me passkey-remove psk_1 --name ann", "old-password\n"),
    ("list_tenants", "tenant list --state active", ""),
    ("create_tenant", "tenant create acme --name Acme --parent msp", ""),
    ("get_tenant", "tenant show acme", ""),
    ("update_tenant", "tenant rename acme --name Acme", ""),
    ("suspend_tenant", "tenant suspend acme --reason unpaid", ""),
    ("resume_tenant", "tenant resume acme --reason paid", ""),
    ("lock_tenant", "tenant lock acme --reason breach", ""),
    ("unlock_tenant", "tenant unlock acme --reason over", ""),
    ("delete_tenant", "tenant delete acme --reason left --undo-first", ""),
    ("cancel_tenant_deletion", "tenant cancel-deletion acme --reason back", ""),
    ("invite_to_tenant", "tenant invite acme ann@example.org", ""),
    ("get_tenant_usage", "tenant usage acme", ""),
    ("get_usage", "usage --from 2026-01-01T00:00:00Z", ""),
    ("list_users", "user list", ""),
    ("create_user", "user create --name bob --role viewer", "new-password\n"),
    ("get_user", "user show usr_1", ""),
    ("update_user", "user role usr_1 analyst", ""),
    ("remove_user", "user remove usr_1", ""),
    ("make_reset_link", "user reset usr_1", ""),
    ("remove_factors", "user reset-factors usr_1", ""),
    ("invite", "user invite ann@example.org --role analyst", ""),
    ("list_invitations", "invitation list", ""),
    ("revoke_invitation", "invitation revoke ivt_1", ""),
    ("accept_invitation", "invitation accept https://s/#invite=sov_x --name ann", "old-password\n"),
    ("list_roles", "role list", ""),
    ("create_role", "role create night --permission alert.read,alert.write --environment staging", ""),
    ("get_role", "role show rol_1", ""),
    ("update_role", "role update rol_1 --permission alert.read", ""),
    ("delete_role", "role delete rol_1", ""),
    ("list_keys", "key list", ""),
    ("create_key", "key create ci --permission alert.read --days 30", ""),
    ("get_key", "key show key_1", ""),
    ("update_key", "key update key_1 --address 203.0.113.0/24", ""),
    ("rotate_key", "key rotate key_1 --overlap 2", ""),
    ("revoke_key", "key revoke key_1", ""),
    ("list_tokens", "token list", ""),
    ("create_token", "token create --kind ingest --name nginx --source nginx", ""),
    ("revoke_token", "token revoke tok_1", ""),
    ("list_sessions", "session list --all", ""),
    ("revoke_session", "session revoke ses_1", ""),
    ("list_grants", "grant list --held", ""),
    ("create_grant", "grant create --role viewer --days 7 --reason audit", ""),
    ("revoke_grant", "grant revoke gnt_1", ""),
    ("get_settings", "settings show", ""),
    ("update_settings", "settings set session_idle_minutes=30", ""),
    ("list_settings_versions", "settings versions", ""),
    ("roll_back_settings", "settings rollback 1", ""),
    ("get_notifications", "notify show", ""),
    (
        "update_notifications",
        "notify set --email off --webhook https://hooks.example.org/x --secret-file -",
        "thirty-two characters and some more",
    ),
    ("test_notifications", "notify test", ""),
    ("list_letters", "notify outbox --state dead", ""),
    ("list_jobs", "job list", ""),
    ("get_job", "job show job_1", ""),
    ("list_ledger", "audit list --kind plan.approved --actor usr_1", ""),
    ("export_ledger", "audit export --format csv", ""),
    ("verify_ledger", "audit verify", ""),
    ("list_installation_ledger", "audit list --installation --kind tenant.", ""),
    ("export_installation_ledger", "audit export --installation --format csv", ""),
    ("verify_installation_ledger", "audit verify --installation", ""),
    ("get_overview", "overview --hours 48", ""),
    ("list_alerts", "alert list --severity high", ""),
    ("get_alert", "alert show alt_1", ""),
    ("update_alert", "alert update alt_1 --status closed --reason seen", ""),
    ("judge_alert", "alert verdict alt_1 false_positive --reason test", ""),
    ("update_alerts", "alert bulk alt_1 alt_2 --status closed", ""),
    ("list_incidents", "incident list --search brute", ""),
    ("get_incident", "incident show inc_1", ""),
    ("get_investigation", "incident show inc_1", ""),
    ("update_incident", "incident update inc_1 --title Later", ""),
    ("judge_incident", "incident verdict inc_1 benign --reason test", ""),
    ("create_note", "incident note inc_1 seen", ""),
    ("list_notes", "incident notes inc_1", ""),
    ("merge_incident", "incident merge inc_1 --into inc_2 --reason same", ""),
    ("export_incident", "incident export inc_1 --format json", ""),
    ("list_incident_ledger", "incident ledger inc_1", ""),
    ("list_events", "event search failed --entity ip:203.0.113.66", ""),
    ("get_event", "event show evt_1", ""),
    ("send_events", "event send - --source sshd", "one line\n"),
    ("get_ingest_stats", "ingest stats", ""),
    ("list_dead_letters", "ingest dead-letters", ""),
    ("list_rules", "rule list", ""),
    ("get_rule", "rule show rul_1", ""),
    ("update_rule", "rule disable rul_1 --reason noisy", ""),
    ("reload_rules", "rule reload", ""),
    ("test_rule", "rule try rul_1", ""),
    ("check_rule", "rule check ../../rules/correlation/linux_account_made_administrator/rule.yml", ""),
    ("create_rule", "rule create ../../rules/correlation/linux_account_made_administrator/rule.yml --note first", ""),
    ("revise_rule", "rule revise rul_1 ../../rules/correlation/linux_account_made_administrator/rule.yml", ""),
    ("list_rule_versions", "rule versions rul_1", ""),
    ("get_rule_version", "rule versions rul_1 --number 2", ""),
    ("diff_rule", "rule diff rul_1 --from 1", ""),
    ("explain_rule", "rule explain rul_1 --event evt_1", ""),
    ("backtest_rule", "rule backtest rul_1 --from 2026-01-01T00:00:00Z", ""),
    ("list_backtests", "rule backtests rul_1", ""),
    ("get_backtest", "rule backtests rul_1 --job job_1", ""),
    ("list_rule_matches", "rule matches rul_1", ""),
    ("export_rule", "rule export rul_1", ""),
    ("import_rule", "rule import ../../docs/openapi.json", ""),
    ("get_rule_throttle", "rule throttle rul_1", ""),
    ("set_rule_throttle", "rule throttle rul_1 --alerts 3 --window 600 --per host --reason noisy", ""),
    ("list_value_lists", "rule lists list", ""),
    ("create_value_list", "rule lists create Admins -", "root\nann\n"),
    ("get_value_list", "rule lists show Admins", ""),
    ("revise_value_list", "rule lists set Admins -", "root\n"),
    ("delete_value_list", "rule lists remove Admins", ""),
    ("list_value_list_versions", "rule lists versions Admins", ""),
    ("get_value_list_version", "rule lists versions Admins --number 1", ""),
    ("list_pipelines", "rule pipelines list", ""),
    ("create_pipeline", "rule pipelines create ours - --note first", "name: ours\n"),
    ("check_pipeline", "rule pipelines check ours -", "name: ours\n"),
    ("get_pipeline", "rule pipelines show ours", ""),
    ("revise_pipeline", "rule pipelines revise ours -", "name: ours\n"),
    ("update_pipeline", "rule pipelines activate ours --reason ready", ""),
    ("delete_pipeline", "rule pipelines remove ours", ""),
    ("list_pipeline_versions", "rule pipelines versions ours", ""),
    ("get_pipeline_version", "rule pipelines versions ours --number 1", ""),
    ("get_attack_coverage", "rule coverage", ""),
    ("export_attack_layer", "rule coverage --navigator -", ""),
    ("get_coverage_log", "rule coverage --log --rule rul_1", ""),
    ("get_field_coverage", "rule coverage --fields", ""),
    ("list_indicator_lists", "indicators list", ""),
    ("create_indicator_list", "indicators create feed --source example.org --severity high", ""),
    ("get_indicator_list", "indicators show ilt_1", ""),
    ("update_indicator_list", "indicators update ilt_1 --enabled false", ""),
    ("delete_indicator_list", "indicators delete ilt_1", ""),
    ("import_indicators", "indicators import ilt_1 - --append", "203.0.113.7\n"),
    ("list_indicators", "indicators search 203.0.113.7 --kind ip", ""),
    ("list_indicator_hits", "indicators hits --list ilt_1 --allowed false", ""),
    ("list_exceptions", "rule exceptions list --rule rul_1 --active", ""),
    (
        "create_exception",
        "rule exceptions add ../../rules/correlation/linux_account_made_administrator/rule.yml --owner ann --reason known --expires 2027-01-01T00:00:00Z",
        "",
    ),
    ("get_exception", "rule exceptions show exc_1", ""),
    ("update_exception", "rule exceptions update exc_1 --reason longer", ""),
    ("delete_exception", "rule exceptions remove exc_1", ""),
    ("list_plans", "plan list", ""),
    (
        "create_plan",
        "plan create --capability linux.block_ip --target sim/a --param address=203.0.113.66 --freeze-override outage",
        "",
    ),
    ("get_plan", "plan show pln_1", ""),
    ("approve_plan", "plan approve pln_1 --yes", ""),
    ("reject_plan", "plan reject pln_1 --reason no", ""),
    ("execute_plan", "plan execute pln_1", ""),
    ("break_glass", "plan break-glass pln_1 --reason fire", ""),
    ("explain_plan", "plan explain pln_1", ""),
    ("list_approvals", "approval list", ""),
    ("replan", "plan replan pln_1 --freeze-override outage", ""),
    ("list_actions", "action list --capability linux.block_ip --target tgt_1 --incident inc_1", ""),
    ("get_action", "action show act_1", ""),
    ("undo_action", "action undo act_1 --reason calm", ""),
    ("undo_many", "action undo --plan pln_1 --reason calm", ""),
    ("list_capabilities", "capability list", ""),
    ("list_targets", "target list", ""),
    ("create_target", "target register sim/a --environment staging --label role=web", ""),
    ("update_target", "target update tgt_1 --protected", ""),
    ("delete_target", "target remove tgt_1", ""),
    ("list_orphans", "orphan list --target tgt_1", ""),
    ("adopt_orphan", "orphan adopt act_1 --target tgt_1 --reason ours", ""),
    ("undo_orphan", "orphan undo act_1 --target tgt_1 --reason stray", ""),
    ("list_evidence", "action evidence act_1", ""),
    ("download_evidence", "action evidence act_1 --number 1 --out -", ""),
    ("get_gate_settings", "gate show", ""),
    ("draft_gate_settings", "gate set numbers.restarts_per_hour=3 --reason calmer", ""),
    ("list_gate_settings_versions", "gate versions", ""),
    ("get_gate_settings_version", "gate versions --number 2", ""),
    ("list_protected_effects", "gate effects", ""),
    ("diff_gate_settings", "gate diff --from 1 --to 2", ""),
    ("activate_gate_settings", "gate activate 2 --reason agreed", ""),
    ("roll_back_gate_settings", "gate rollback 1 --reason worse", ""),
    ("get_policies", "policy show", ""),
    ("list_built_in_policies", "policy list", ""),
    ("check_policies", "policy check ../../policies", ""),
    ("list_policy_versions", "policy versions", ""),
    ("create_policy_version", "policy push ../../policies --reason nights", ""),
    ("get_policy_version", "policy versions --number 2", ""),
    ("diff_policies", "policy diff --from 1 --to 2", ""),
    ("replay_policies", "policy replay --version 2", ""),
    ("list_policy_replays", "policy replays", ""),
    ("get_policy_replay", "policy replays --job job_1", ""),
    ("activate_policy_version", "policy activate 2 --reason agreed", ""),
    ("deactivate_policies", "policy deactivate --reason over", ""),
    ("list_gate_changes", "gate changes --pending", ""),
    ("get_gate_change", "gate change gch_1", ""),
    ("confirm_gate_change", "autonomy confirm gch_1", ""),
    ("withdraw_gate_change", "gate withdraw gch_1 --reason no", ""),
    ("get_autonomy", "autonomy show", ""),
    ("set_autonomy", "autonomy set 3 --environment staging --reason trust", ""),
    ("restore_autonomy", "autonomy restore linux.block_ip --target tgt_1 --reason mended", ""),
    ("list_standing_grants", "standing-grant list --active", ""),
    (
        "create_standing_grant",
        "standing-grant create --capability linux.block_ip --environment staging --target tgt_1 --days 7 --reason night",
        "",
    ),
    ("revoke_standing_grant", "standing-grant revoke sgr_1", ""),
    ("get_automation", "automation status", ""),
    ("halt_automation", "automation halt --reason drill", ""),
    ("resume_automation", "automation resume --reason calm", ""),
];

/// Method and path of every operation.
fn described() -> BTreeMap<String, (String, String)> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Some(id) = operation["operationId"].as_str() {
                operations.insert(id.to_owned(), (method.to_uppercase(), path.clone()));
            }
        }
    }
    operations
}

#[test]
fn every_operation_has_a_command_or_a_reason() {
    let operations: BTreeSet<String> = described().into_keys().collect();
    let known = COMMANDS.iter().map(|(id, ..)| *id).chain(BROWSER.iter().map(|(id, _)| *id));
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    let missing: Vec<_> = operations.difference(&known).collect();
    assert!(missing.is_empty(), "no command for {missing:?}");
    let gone: Vec<_> = known.difference(&operations).collect();
    assert!(gone.is_empty(), "no such operation: {gone:?}");
}

#[test]
fn every_command_calls_its_operation() {
    let operations = described();
    let listener = Listener::start();
    let home = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (id, line, typed) in COMMANDS {
        let Some((method, path)) = operations.get(*id) else { continue };
        let said = run(line, typed, listener.url(), home.path());
        let asked = listener.take();
        if !asked.iter().any(|(sent, to)| sent == method && fits(path, to)) {
            wrong.push(format!("{id}: `shieldops {line}` asked {asked:?}, not {method} {path}\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_creates_has_a_key_and_what_changes_says_what_it_saw() {
    let listener = Listener::start();
    let home = tempfile::tempdir().unwrap();
    run("tenant create acme", "", listener.url(), home.path());
    let sent = listener.headers();
    assert!(sent.iter().any(|head| head.contains("idempotency-key: ")), "{sent:?}");
    run("tenant rename acme --name Acme --tenant msp", "", listener.url(), home.path());
    let sent = listener.headers();
    assert!(sent.iter().any(|head| head.contains("if-match: \"7\"")), "{sent:?}");
    assert!(sent.iter().all(|head| head.contains("shieldops-tenant: msp")), "{sent:?}");
}

/// What the command says.
fn run(line: &str, typed: &str, url: &str, home: &std::path::Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shieldops"));
    command.args(line.split(' ')).env("SHIELDOPS_SERVER", url).env("SHIELDOPS_TOKEN", "sop_x");
    command.env("XDG_CONFIG_HOME", home).env("HOME", home);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that reads nothing may have ended before.
    drop(child.stdin.take().unwrap().write_all(typed.as_bytes()));
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether a path that was asked for is of this template.
fn fits(template: &str, asked: &str) -> bool {
    let asked = asked.split('?').next().unwrap();
    let (template, asked): (Vec<_>, Vec<_>) = (template.split('/').collect(), asked.split('/').collect());
    template.len() == asked.len()
        && template.iter().zip(&asked).all(
            |(want, part)| {
                if want.starts_with('{') { !part.is_empty() } else { want == part }
            },
        )
}
