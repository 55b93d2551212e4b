//! What one tenant can learn of another: nothing. The cases are made from the description of the API: for every operation,
//! with the principals of one tenant and the ids of another in every place that can carry one, the answer is the one for an
//! id that exists nowhere, in status, headers and body.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

#[path = "leaks/contract.rs"]
mod contract;
#[path = "leaks/filled.rs"]
mod filled;
#[path = "support/live.rs"]
mod live;
#[path = "leaks/oracle.rs"]
mod oracle;
#[path = "support/pg.rs"]
mod pg;
#[path = "leaks/quiet.rs"]
mod quiet;
#[path = "support/server.rs"]
mod server;
#[path = "support/site.rs"]
mod site;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use contract::{Operation, Place, Takes};
use filled::{Amount, Filled, Ids, MARKER, fill, harvest, ids_in, named, rule_id};
use oracle::{Case, elsewhere};
use quiet::{first_difference, quiet};
use serde_json::{Value, json};
use site::{Caller, Site};

/// Of each kind so many are tried in each place.
const VALUES: usize = 16;
const AT_LEAST: usize = 10_000;
/// Routes that the description does not have.
const OTHERS: [(&str, &str); 5] = [
    ("GET", "/metrics"),
    ("GET", "/api/v1/openapi.json"),
    ("POST", "/_bulk"),
    ("POST", "/services/collector/event"),
    ("GET", "/_cluster/health"),
];
/// Shared by all tenants.
const COMMON: [&str; 1] = ["rul"];
const OWN: &str = "bystander";

/// The tenant that is looked for, and the one that looks.
struct Stage {
    site: Site,
    theirs: Filled,
    own: Filled,
    ids: Ids,
    operations: Vec<Operation>,
    /// One's own things, by prefix.
    things: BTreeMap<String, String>,
}

#[test]
fn nothing_of_a_tenant_can_be_learnt_by_another() {
    run(&[]);
}

#[test]
fn nothing_of_a_tenant_can_be_learnt_by_another_on_postgresql() {
    if let Some(database) = pg::Database::new() {
        run(&[("SHIELDOPS_DATABASE__URL", &database.url)]);
    }
}

fn run(env: &[(&str, &str)]) {
    let began = Instant::now();
    let stage = Stage::set(env);
    stage.no_traces();
    let set = began.elapsed();
    let count = stage.all_cases();
    eprintln!("{count} cases, set in {set:.1?}, all in {:.1?}", began.elapsed());
    assert!(count >= AT_LEAST, "only {count} cases");
    stage.no_other_tenant_on_a_socket();
    for (name, caller) in &stage.own.callers {
        assert_eq!(caller.call("GET", "/api/v1/me", None).status, 200, "{name} is still who it was");
    }
    if env.is_empty() {
        stage.a_leak_would_be_seen();
    }
}

impl Stage {
    /// One's own tenant is filled first: while the other's is, nothing may move in it.
    fn set(env: &[(&str, &str)]) -> Self {
        let site = Site::start(env);
        let parent = |slug: &str| drop(site.operator.post("/api/v1/tenants", &json!({"slug": slug, "name": slug})));
        parent("own-parent");
        let own = site.tenant(OWN, "Bystander", Some("own-parent"));
        let own = fill(&site, own, "own", &Amount { incidents: 3, machines: 3 });
        let mut socket = live::Live::with_headers(site.url(), &own.org.admin.headers, OWN);
        let (before, shared) = (quiet(&own.org.admin), harvest(&own.org.admin));
        parent("their-parent");
        let theirs = site.tenant(&format!("org-{MARKER}"), &format!("Org {MARKER}"), Some("their-parent"));
        let theirs = fill(&site, theirs, MARKER, &Amount { incidents: 16, machines: 8 });
        assert_eq!(socket.next(Duration::from_millis(500)), None, "a frame about another tenant");
        for (path, seen) in quiet(&own.org.admin) {
            let moved = first_difference(&before[&path], &seen, String::new());
            assert_eq!(moved, None, "{path} changed while another tenant was filled");
        }
        let mut ids = harvest(&theirs.org.admin);
        ids_in(&theirs.org.admin.get("/api/v1/me").to_string(), &mut ids);
        for common in COMMON {
            ids.remove(common);
        }
        // Whoever invited both is known to both.
        for (kind, known) in &mut ids {
            known.retain(|id| !shared.get(kind).is_some_and(|shared| shared.contains(id)));
        }
        for wanted in [
            "alt", "inc", "evt", "pln", "act", "tgt", "usr", "ses", "tok", "key", "rol", "gnt", "ivt", "dlq", "not",
            "tnt", "gch", "sgr", "exc", "ilt", "job",
        ] {
            assert!(ids.get(wanted).is_some_and(|known| !known.is_empty()), "no id of kind {wanted} was made");
        }
        let operations = contract::operations(&site.operator.get("/api/v1/openapi.json"));
        let things = things(&own);
        Self { site, theirs, own, ids, operations, things }
    }

    /// Whatever can be read has nothing of the other tenant in it.
    fn no_traces(&self) {
        let rule = rule_id(MARKER);
        let marks: Vec<&str> = self.ids.values().flatten().map(String::as_str).chain([MARKER, &rule]).collect();
        let mut looked = 0;
        for (name, caller) in &self.own.callers {
            for operation in self.operations.iter().filter(|operation| operation.method == "GET") {
                for path in self.readable(operation) {
                    let text = caller.call("GET", &path, None).text;
                    let found = marks.iter().find(|mark| text.contains(**mark));
                    assert_eq!(found, None, "{name} reads it at {path}");
                    looked += 1;
                }
            }
        }
        assert!(looked > 250, "only {looked} answers were looked at");
    }

    /// A path with one's own ids, with a page as large as it can be, and as a search for what the other has.
    fn readable(&self, operation: &Operation) -> Vec<String> {
        let mut path = operation.path.clone();
        let mut queries = vec![String::new()];
        for (place, takes) in &operation.places {
            match (place, takes) {
                (Place::Path(name), Takes::Id(prefix)) => {
                    let own = self.things.get(prefix).map_or("x", String::as_str);
                    path = path.replace(&format!("{{{name}}}"), own);
                }
                (Place::Path(name), Takes::Rule) => path = path.replace(&format!("{{{name}}}"), &self.things["rule"]),
                (Place::Path(name), Takes::Name(kind)) => {
                    path = path.replace(&format!("{{{name}}}"), &self.things[*kind]);
                }
                (Place::Path(name), _) => path = path.replace(&format!("{{{name}}}"), OWN),
                (Place::Query(_), Takes::Cursor) => queries.push("?limit=200".to_owned()),
                (Place::Query(_), Takes::Words) => queries.push(format!("?limit=200&q={}", MARKER.get(..5).unwrap())),
                _ => {}
            }
        }
        if path.ends_with("/sessions") {
            queries.push("?all=true".to_owned());
        }
        if path.ends_with("/export") {
            queries.extend(["?format=ndjson", "?format=csv", "?format=html"].map(str::to_owned));
        }
        queries.iter().map(|query| format!("{path}{query}")).collect()
    }

    /// Each principal on a thread of its own.
    fn all_cases(&self) -> usize {
        let count = AtomicUsize::new(0);
        let wrong: Vec<String> = thread::scope(|scope| {
            let work = |who: &'static str, caller: &Caller| {
                let caller = caller.clone();
                let count = &count;
                scope.spawn(move || self.cases_of(who, &caller, count))
            };
            let running: Vec<_> = self.own.callers.iter().map(|(who, caller)| work(who, caller)).collect();
            running.into_iter().flat_map(|one| one.join().unwrap()).collect()
        });
        assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
        count.into_inner()
    }

    fn cases_of(&self, who: &str, caller: &Caller, count: &AtomicUsize) -> Vec<String> {
        let mut wrong = Vec::new();
        let known = contract::known_bodies();
        for operation in &self.operations {
            let body =
                known.get(&(operation.method.as_str(), operation.path.as_str())).cloned().or(operation.body.clone());
            let slug = [(self.theirs.org.slug.clone(), elsewhere(&self.theirs.org.slug))];
            let mut places = vec![(None, slug.to_vec())];
            for (place, takes) in &operation.places {
                places.push((Some(place), self.values(operation, caller, takes)));
            }
            for (place, values) in places {
                let mut before = None;
                for (theirs, nowhere) in &values {
                    let body = body.clone();
                    let case = Case { operation, place, theirs, nowhere, own: &self.things, body };
                    if let Some((theirs, nowhere)) = case.differs(caller, &mut before) {
                        wrong.push(format!(
                            "{who}: {} {} at {place:?} with {}:\n  {theirs:?}\n  {nowhere:?}",
                            operation.method, operation.path, case.theirs
                        ));
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        self.other_routes(who, caller, count, &mut wrong);
        wrong
    }

    /// The other tenant named at routes without a description.
    fn other_routes(&self, who: &str, caller: &Caller, count: &AtomicUsize, wrong: &mut Vec<String>) {
        for (method, path) in OTHERS {
            let (method, path) = (method.to_owned(), path.to_owned());
            let operation = Operation { method, path, places: Vec::new(), query: Vec::new(), body: None };
            let (theirs, nowhere) = (&self.theirs.org.slug, elsewhere(&self.theirs.org.slug));
            let case =
                Case { operation: &operation, place: None, theirs, nowhere: &nowhere, own: &self.things, body: None };
            if let Some(told) = case.differs(caller, &mut None) {
                wrong.push(format!("{who}: {} with the other tenant's name: {told:?}", operation.path));
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The other's alerts are put among one's own behind the server's back: the same questions find that out.
    fn a_leak_would_be_seen(&self) {
        let tenant = |slug: &str| format!("(SELECT tenant FROM tenants WHERE slug = '{slug}')");
        let (own, theirs) = (tenant(OWN), tenant(&self.theirs.org.slug));
        self.site.server.sql(&format!("UPDATE alerts SET tenant_id = {own} WHERE tenant_id = {theirs}"));
        let one = |operation: &&Operation| operation.method == "GET" && operation.path == "/api/v1/alerts/{id}";
        let operation = self.operations.iter().find(one).unwrap();
        let theirs = self.ids["alt"].first().unwrap();
        let (place, nowhere) = (Some(&operation.places[0].0), elsewhere(theirs));
        let case = Case { operation, place, theirs, nowhere: &nowhere, own: &self.things, body: None };
        assert!(case.differs(&self.own.org.admin, &mut None).is_some(), "a leak is not seen");
    }

    /// What a place is given: the other's, and for each one that exists nowhere.
    fn values(&self, operation: &Operation, caller: &Caller, takes: &Takes) -> Vec<(String, String)> {
        let of = |prefix: &str| self.ids.get(prefix).into_iter().flatten().take(VALUES).cloned().collect::<Vec<_>>();
        let theirs = match takes {
            // Two of each other kind, too: it is no id of this place, and nothing more is said.
            Takes::Id(prefix) => {
                let others = self.ids.iter().filter(|(kind, _)| *kind != prefix);
                of(prefix).into_iter().chain(others.flat_map(|(_, ids)| ids.iter().take(2).cloned())).collect()
            }
            Takes::AnyId => self.ids.values().flat_map(|ids| ids.iter().take(3).cloned()).collect(),
            Takes::Slug => vec![self.theirs.org.slug.clone(), format!("org-{MARKER}")],
            Takes::Login => vec![format!("{MARKER}-second"), format!("{MARKER}-analyst")],
            Takes::Target => (0..4).map(|number| format!("sim/{MARKER}-{number}")).collect(),
            Takes::Entity => (0..6).map(|number| format!("host:{MARKER}-host-{number}")).collect(),
            Takes::Words => vec![MARKER.to_owned(), format!("{MARKER}-host-1")],
            Takes::Rule => vec![rule_id(MARKER)],
            Takes::Name(_) => vec![named(MARKER)],
            Takes::Cursor => return self.cursors(operation, caller),
        };
        theirs.into_iter().map(|theirs| (theirs.clone(), nowhere(takes, &theirs))).collect()
    }

    /// The other's place in the same list, against one that no list gave.
    fn cursors(&self, operation: &Operation, _caller: &Caller) -> Vec<(String, String)> {
        let mut path = operation.path.clone();
        if let Some((Place::Path(name), Takes::Id(prefix))) = operation.places.first()
            && let Some(theirs) = self.ids.get(prefix).and_then(|ids| ids.first())
        {
            path = path.replace(&format!("{{{name}}}"), theirs);
        }
        let page = self.theirs.org.admin.call("GET", &format!("{path}?limit=1"), None);
        let page: Value = serde_json::from_str(&page.text).unwrap_or(Value::Null);
        let cursor = page["next_cursor"].as_str().map(str::to_owned);
        cursor.into_iter().map(|cursor| (cursor.clone(), elsewhere(&cursor))).collect()
    }

    /// The socket of live updates, asked for with the other's name.
    fn no_other_tenant_on_a_socket(&self) {
        for (name, caller) in &self.own.callers {
            let told = |slug: &str| live::Live::refusal(self.site.url(), &caller.headers, slug);
            let theirs = told(&self.theirs.org.slug);
            assert!(theirs.is_some(), "{name} listens to another tenant");
            assert_eq!(theirs, told(&elsewhere(&self.theirs.org.slug)), "{name}");
        }
    }
}

/// A value of the same form that exists nowhere; of what is composed, only the name is another.
fn nowhere(takes: &Takes, theirs: &str) -> String {
    match takes {
        Takes::Rule => theirs.replace("00f2", "00f3"),
        Takes::Target | Takes::Entity | Takes::Name(_) => theirs.replace(MARKER, &elsewhere(MARKER)),
        _ => elsewhere(theirs),
    }
}

/// One's own of each kind, where an operation needs one. Nobody who asks is among the people.
fn things(own: &Filled) -> BTreeMap<String, String> {
    let ids = harvest(&own.org.admin);
    let mut things: BTreeMap<String, String> =
        ids.iter().filter_map(|(kind, ids)| Some((kind.clone(), ids.first()?.clone()))).collect();
    let users = own.org.admin.items("/api/v1/users");
    let spare = users.iter().find(|user| user["name"] == "own-second").expect("the second administrator");
    things.insert("usr".to_owned(), spare["id"].as_str().unwrap().to_owned());
    things.insert("slug".to_owned(), OWN.to_owned());
    things.insert("rule".to_owned(), rule_id("own"));
    things.extend(["value-lists", "pipelines"].map(|kind| (kind.to_owned(), named("own"))));
    things
}
