//! `shieldops action prove`: processes that act on a twin are killed, and the twin outlives them.

use serde_json::{Value, json};

use crate::machine::Machine;

fn tried(capability: &str, numbers: [&str; 3]) -> (i32, Value) {
    let (code, said) = proof(&[capability], numbers);
    (code, said["items"][0].clone())
}

fn proof(capabilities: &[&str], [cases, twin_cases, kills]: [&str; 3]) -> (i32, Value) {
    let numbers = ["--cases", cases, "--twin-cases", twin_cases, "--kills", kills, "--output", "json"];
    let ran = Machine::cli(&[&["action", "prove"][..], capabilities, &numbers].concat());
    let said: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr));
    (ran.code, said)
}

/// `make prove` kills 500 a capability.
#[test]
fn of_fifty_five_kills_over_all_capabilities_none_loses_doubles_or_misreports_an_action() {
    let (code, said) = proof(&[], ["1", "1", "5"]);
    let rows = said["items"].as_array().unwrap();
    assert_eq!((rows.len(), code), (11, 3), "{said}");
    for row in rows {
        let (name, twin) = (row["capability"].as_str().unwrap(), &row["twin"]);
        let on = if twin == "none" { &json!("simulator") } else { twin };
        assert_eq!((&row["failures"], &row["residue"]), (&json!([]), &json!(0)), "{row}");
        assert_eq!((&row["kills"], &row["kills_on"]), (&json!(5), on), "{row}");
        eprintln!("{name}: 5 of 5 kills on {on}");
    }
}

#[test]
fn processes_are_killed_on_the_twin_that_the_capability_is_proved_on() {
    // What a block leaves behind it is nothing, wherever it was: what a kill leaves has to be on the twin.
    for (capability, twin) in [("linux.block_ip", "network"), ("linux.kill_process", "rooted")] {
        let (code, row) = tried(capability, ["3", "1", "2"]);
        if row["twin"] == "none" {
            // Without a twin it is not called proved, and says why.
            assert_eq!((code, &row["verdict"], &row["kills_on"]), (3, &json!("not_run"), &json!("simulator")), "{row}");
            eprintln!("SKIPPED: {}", row["why"]);
            continue;
        }
        // What held in one case is not proved.
        let why = json!("1 of 200 cases on the twin; 1 were asked for (--twin-cases)");
        assert_eq!((code, &row["verdict"], &row["why"]), (3, &json!("too_few"), &why), "{row}");
        assert_eq!((&row["twin"], &row["failures"]), (&json!(twin), &json!([])), "{row}");
        assert_eq!((&row["kills"], &row["kills_on"], &row["residue"]), (&json!(2), &json!(twin), &json!(0)), "{row}");
    }
}

#[test]
fn what_was_not_tried_is_not_called_proved() {
    for nothing in [["0", "0", "0"], ["0", "1", "1"], ["3", "0", "1"]] {
        let (code, row) = tried("linux.block_ip", nothing);
        assert_eq!((code, &row["verdict"]), (3, &json!("not_run")), "{nothing:?}: {row}");
    }
}
