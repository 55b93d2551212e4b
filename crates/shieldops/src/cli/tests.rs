//! The command line as others script against it.

use clap::{CommandFactory as _, Parser as _};

use super::{Cli, Command, run};

fn parses(line: &str) -> bool {
    Cli::try_parse_from(line.split(' ')).is_ok()
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn the_names_that_others_script_against_are_there() {
    for line in [
        "shieldops serve --data-dir d --listen 127.0.0.1:0 --config f --demo --roles api",
        "shieldops tenant create acme",
        "shieldops tenant rename acme --name Acme",
        "shieldops tenant suspend acme --reason unpaid",
        "shieldops tenant lock acme --reason breach",
        "shieldops tenant delete acme --reason left",
        "shieldops tenant use acme",
        "shieldops user invite ann@example.org --role analyst",
        "shieldops user reset-password --data-dir d ann",
        "shieldops role create night --permission alert.read",
        "shieldops key create ci --permission alert.read",
        "shieldops key rotate key_1",
        "shieldops key revoke key_1",
        "shieldops token create --data-dir d --kind operator --name n",
        "shieldops token create --data-dir d --kind key --name n --tenant acme --permission alert.read",
        "shieldops db migrate --data-dir d",
        "shieldops db status",
        "shieldops db copy --data-dir d --to postgres://db/x",
        "shieldops completion bash",
        "shieldops login --profile work --server https://s",
        "shieldops rules list",
        "shieldops token create --data-dir d --kind ingest --name n",
        "shieldops token create --data-dir d --kind personal --name n --user u",
        "shieldops user create --data-dir d --name n --role analyst",
        "shieldops plan list --server http://127.0.0.1:1 --token t --output json",
        "shieldops plan show pln_1",
        "shieldops plan approve pln_1 --hash abc",
        "shieldops plan approve pln_1 --yes",
        "shieldops plan reject pln_1 --reason no",
        "shieldops plan execute pln_1",
        "shieldops action list --plan pln_1",
        "shieldops action show act_1",
        "shieldops action undo act_1",
        "shieldops automation halt",
        "shieldops automation resume --reason calm",
        "shieldops automation status",
        "shieldops incident show inc_1",
        "shieldops alert list --severity high",
        "shieldops scan a b --rules r --output ndjson",
        "shieldops rules test --rules r",
        "shieldops bench alert-latency --output json",
        "shieldops config check --config f",
        "shieldops config show --output json",
        "shieldops ledger verify d --checkpoint f",
    ] {
        assert!(parses(line), "{line}");
    }
}

#[test]
fn an_approval_by_hash_is_not_also_one_without() {
    assert!(!parses("shieldops plan approve pln_1 --hash abc --yes"));
}

#[test]
fn an_undo_says_whose_only_with_the_time_and_takes_one_scope() {
    for line in [
        "shieldops action undo --since 1h --by automation",
        "shieldops action undo --since 1h --by automation --preview",
        "shieldops action undo act_1 --preview",
        "shieldops action undo --all --data-dir d --reason fire",
        "shieldops action undo --all --data-dir d --preview",
    ] {
        assert!(parses(line), "{line}");
    }
    for line in [
        "shieldops action undo --all --data-dir d --by automation",
        "shieldops action undo --plan pln_1 --by automation",
        "shieldops action undo act_1 --by automation",
        "shieldops action undo --by automation",
        "shieldops action undo --since 1h",
        "shieldops action undo --all --since 1h --by automation",
    ] {
        assert!(!parses(line), "{line}");
    }
}

#[test]
fn an_id_that_would_leave_its_path_is_refused() {
    assert!(!parses("shieldops plan show ../me"));
}

#[test]
fn the_twins_arguments_arrive_as_they_are() {
    let cli = Cli::try_parse_from(["shieldops", "twin-init", "--tag=x", "203.0.113.66", "198.51.100.10"]).unwrap();
    let Command::TwinInit(raw) = cli.command else { panic!("another command") };
    assert_eq!(raw.args, ["--tag=x", "203.0.113.66", "198.51.100.10"]);
}

#[test]
fn what_cannot_be_done_from_here_is_exit_code_two() {
    for line in [
        "shieldops plan list --server http://127.0.0.1:1 --token t",
        "shieldops ledger verify /nowhere",
        "shieldops rules test --rules /nowhere",
        "shieldops config check --config /nowhere.toml",
        "shieldops serve --listen somewhere",
    ] {
        let code = run(Cli::try_parse_from(line.split(' ')).unwrap());
        assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::from(2)), "{line}");
    }
}

#[test]
fn a_plan_is_one_action_that_is_named_or_a_file_of_several() {
    for line in
        ["--file p.json --on-failure undo", "--capability linux.block_ip --target sim/a --param address=203.0.113.66"]
    {
        assert!(parses(&format!("shieldops plan create {line}")), "{line}");
    }
    for line in [
        "--title nothing",
        "--capability linux.block_ip",
        "--target sim/a",
        "--file p.json --capability linux.block_ip --target sim/a",
        "--file p.json --on-failure hide",
    ] {
        assert!(!parses(&format!("shieldops plan create {line}")), "{line}");
    }
}
