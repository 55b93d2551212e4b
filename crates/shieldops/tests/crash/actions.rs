//! `kill -9` at random moments while people plan, approve and undo: what is said was done, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use rand::RngExt as _;
use serde_json::{Value, json};

use crate::{
    machine::{Client, PATIENCE, Staffed, pause, within_time},
    tally::{Tally, rng},
    world::World,
};

const ROUNDS: u32 = 20;
/// Fewer than two people have at the least when they are done.
const ANSWERS: u32 = 30;
const HOSTS: [&str; 2] = ["sim/web", "sim/db"];

#[test]
fn actions_are_neither_lost_doubled_nor_misreported_by_kills_at_random_moments() {
    let (mut tally, mut random) = (Tally::new("actions"), rng());
    let mut staffed = Staffed::new(&HOSTS);
    let mut told: Vec<Told> = Vec::new();
    for round in 0..ROUNDS {
        staffed.machine.start(&[]).unwrap();
        let answers = Arc::new(AtomicU32::new(0));
        let people: Vec<_> = (0_u32..2)
            .map(|number| {
                let (client, ann, bea) = (staffed.machine.client.clone(), staffed.ann.clone(), staffed.bea.clone());
                let (answers, first) = (Arc::clone(&answers), round * 12 + number * 6);
                thread::spawn(move || work(&Office { client, ann, bea, answers }, first))
            })
            .collect();
        // So many answers, and a moment: a time alone would be too early on a busy machine.
        let enough = random.random_range(0..ANSWERS);
        assert!(within_time(PATIENCE, || (answers.load(Ordering::SeqCst) >= enough).then_some(())).is_some());
        pause(Duration::from_millis(random.random_range(0..150)));
        staffed.machine.kill();
        told.extend(people.into_iter().flat_map(|person| person.join().unwrap()));
        if round % 5 == 4 {
            // In the middle of recovery.
            staffed.machine.spawn(&[], &[]);
            pause(Duration::from_millis(random.random_range(200..900)));
            staffed.machine.kill();
        }
    }
    staffed.machine.start(&[]).unwrap();
    let client = staffed.machine.client.clone();
    settle(&client, &staffed.ann);
    let mut actions = read(&client, &staffed.ann);
    compare(&told, &actions, &mut tally);
    let worlds: BTreeMap<&str, World> =
        HOSTS.iter().map(|host| (*host, World::sim(staffed.machine.data(), host.trim_start_matches("sim/")))).collect();
    truthful(&worlds, &actions, &mut tally);

    // Everything can still be undone, and leaves nothing.
    actions.retain(|_, action| action["state"] == "verified");
    for id in actions.keys() {
        let (status, body) = client.post(&format!("/api/v1/actions/{id}/undo"), &staffed.ann, &json!({})).unwrap();
        assert_eq!((status, &body["state"]), (200, &json!("undone")), "{body}");
    }
    for (host, world) in &worlds {
        if !world.is_clean() {
            tally.lost(format!("all is undone, and on {host} is left {:?}", world.blocked()));
        }
    }
    staffed.machine.kill();
    staffed.machine.verify();
    eprintln!(
        "{} actions, {} approved, {} undone in time",
        told.len(),
        count(&told, |told| told.done.is_some()),
        count(&told, |told| told.undone)
    );
    assert!(count(&told, |told| told.done.is_some()) >= 10, "the kills came too early to prove anything");
    tally.kills = staffed.machine.kills;
    tally.close();
}

fn count(told: &[Told], wanted: impl Fn(&Told) -> bool) -> usize {
    told.iter().filter(|told| wanted(told)).count()
}

/// What a person was told about one action, and what they asked for.
struct Told {
    plan: String,
    action: String,
    asked_approval: bool,
    /// The state that the answer to the approval named.
    done: Option<String>,
    asked_undo: bool,
    undone: bool,
}

struct Office {
    client: Client,
    ann: String,
    bea: String,
    /// Of the server, to both people.
    answers: Arc<AtomicU32>,
}

/// Blocks one address after the other and undoes every second one, until the server is gone.
fn work(office: &Office, first: u32) -> Vec<Told> {
    let mut all = Vec::new();
    for number in first..first + 6 {
        let Some(mut told) = office.plan(number) else { break };
        let gone = office.carry_out(&mut told, number % 2 == 1).is_none();
        all.push(told);
        if gone {
            break;
        }
    }
    all
}

impl Office {
    fn answered<T>(&self, answer: Option<T>) -> Option<T> {
        if answer.is_some() {
            self.answers.fetch_add(1, Ordering::SeqCst);
        }
        answer
    }

    fn plan(&self, number: u32) -> Option<Told> {
        let host = HOSTS.get(usize::try_from(number).unwrap() % HOSTS.len()).unwrap();
        let address = format!("198.51.{}.{}", 100 + number / 250, 1 + number % 250);
        let target = json!({"kind": "linux_host", "name": host});
        let wanted =
            json!({"actions": [{"capability": "linux.block_ip", "target": target, "params": {"address": address}}]});
        let (status, plan) = self.answered(self.client.post("/api/v1/plans", &self.ann, &wanted))?;
        assert_eq!(status, 201, "{plan}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (plan, action) = (text(&plan["id"]), text(&plan["actions"][0]["id"]));
        Some(Told { plan, action, asked_approval: false, done: None, asked_undo: false, undone: false })
    }

    fn carry_out(&self, told: &mut Told, and_undo: bool) -> Option<()> {
        let path = format!("/api/v1/plans/{}", told.plan);
        let (_, plan) = self.answered(self.client.send("GET", &path, &self.bea, "application/json", ""))?;
        told.asked_approval = true;
        let approved = self.client.post(&format!("{path}/approve"), &self.bea, &json!({"hash": plan["hash"]}));
        let (status, done) = self.answered(approved)?;
        assert_eq!(status, 200, "{done}");
        told.done = Some(done["actions"][0]["state"].as_str().unwrap().to_owned());
        if and_undo {
            told.asked_undo = true;
            let undone = self.client.post(&format!("/api/v1/actions/{}/undo", told.action), &self.ann, &json!({}));
            let (status, undone) = self.answered(undone)?;
            assert_eq!(status, 200, "{undone}");
            told.undone = undone["state"] == "undone";
        }
        Some(())
    }
}

/// Waits until nothing is under way.
fn settle(client: &Client, token: &str) {
    let idle = |path: &str| client.get(path, token)["items"].as_array().unwrap().is_empty();
    let states = ["running", "settling", "undoing"];
    let done = within_time(PATIENCE, || {
        let plans = idle("/api/v1/plans?state=approved") && idle("/api/v1/plans?state=executing");
        (plans && states.iter().all(|state| idle(&format!("/api/v1/actions?state={state}")))).then_some(())
    });
    assert!(done.is_some(), "recovery left something unfinished");
}

/// Every action that is no undo, by id.
fn read(client: &Client, token: &str) -> BTreeMap<String, Value> {
    let all = client.all("/api/v1/actions", token).into_iter().filter(|action| action["undo_of"].is_null());
    all.map(|action| (action["id"].as_str().unwrap().to_owned(), action)).collect()
}

/// What people were told holds.
fn compare(told: &[Told], actions: &BTreeMap<String, Value>, tally: &mut Tally) {
    for told in told {
        let Some(action) = actions.get(&told.action) else {
            tally.lost(format!("{} was planned and is not there", told.action));
            continue;
        };
        let state = action["state"].as_str().unwrap();
        let possible: &[&str] = match (&told.done, told.asked_approval) {
            (Some(_), _) if told.undone => &["undone"],
            (Some(_), _) if told.asked_undo => &["verified", "undone"],
            (Some(_), _) => &["verified"],
            (None, true) => &["planned", "verified"],
            (None, false) => &["planned"],
        };
        if told.done.as_deref().is_some_and(|done| done != "verified") || !possible.contains(&state) {
            tally.misreported(format!("{}: told {:?}, undone {}; it is {state}", told.action, told.done, told.undone));
        }
    }
}

/// The targets are as the actions say, and each effect is of the action that it is marked with.
fn truthful(worlds: &BTreeMap<&str, World>, actions: &BTreeMap<String, Value>, tally: &mut Tally) {
    for (host, world) in worlds {
        let blocked: BTreeMap<String, String> = world.blocked().into_iter().collect();
        let mut wanted = BTreeSet::new();
        for (id, action) in
            actions.iter().filter(|(_, action)| action["target"]["name"] == *host && action["state"] == "verified")
        {
            let address = action["params"]["address"].as_str().unwrap().to_owned();
            match blocked.get(&address) {
                None => tally.misreported(format!("{id} says verified, and {address} is not blocked on {host}")),
                Some(mark) if !mark.ends_with(id.as_str()) => {
                    tally.misreported(format!("{address} is marked {mark} and not {id}"));
                }
                Some(_) => {}
            }
            if !wanted.insert(address.clone()) {
                tally.doubled(format!("two actions block {address} on {host}"));
            }
        }
        for address in blocked.keys().filter(|address| !wanted.contains(*address)) {
            tally.misreported(format!("{address} is blocked on {host}, and no action says so"));
        }
    }
}
