//! Guessing passwords: slower with each failure, and whoever has to wait is told for how long.

use std::time::Duration;

use super::*;

struct Answer {
    status: u16,
    code: Value,
    retry_after: Option<u64>,
}

fn sign_in(server: &Server, name: &str, password: &str) -> Answer {
    let body = json!({"name": name, "password": password}).to_string();
    let answered =
        feed::send(server, "POST", "/api/v1/session", &[("content-type", "application/json")], body.as_bytes());
    let code = if answered.status == 204 { Value::Null } else { answered.json()["code"].clone() };
    Answer { status: answered.status, code, retry_after: answered.retry_after.map(|text| text.parse().unwrap()) }
}

/// Waits as long as it was told, and not longer.
fn obey(answer: &Answer) {
    assert_eq!((answer.status, &answer.code), (429, &json!("rate_limited")));
    let seconds = answer.retry_after.expect("whoever is refused is told for how long");
    assert!((1..=4).contains(&seconds), "{seconds}");
    std::thread::park_timeout(Duration::from_secs(seconds));
}

#[test]
fn guesses_are_slowed_down_and_waiting_as_long_as_told_is_enough() {
    let server = Server::start(&[]);
    let admin = server.token("personal");
    for name in ["ann", "bea"] {
        let user = json!({"name": name, "role": "analyst", "password": "another long phrase"});
        server.post("/api/v1/users", &admin, &user).unwrap();
    }
    for name in ["ann", "nobody"] {
        for _ in 0..5 {
            let refused = sign_in(&server, name, "a wrong long phrase");
            assert_eq!((refused.status, &refused.code), (401, &json!("wrong_credentials")), "{name}");
            assert_eq!(refused.retry_after, None);
        }
        assert_eq!(sign_in(&server, name, "a wrong long phrase").status, 429, "{name}: known or not, it waits");
    }
    // The right password has to wait as well: the answer does not tell that it is right.
    let early = sign_in(&server, "ann", "another long phrase");
    obey(&early);
    assert_eq!(sign_in(&server, "ann", "one more long phrase").status, 401, "one more guess");
    let early = sign_in(&server, "ann", "another long phrase");
    assert!(early.retry_after >= Some(2), "each wait is longer: {:?}", early.retry_after);
    assert_eq!(sign_in(&server, "bea", "another long phrase").status, 204, "others do not wait");
    obey(&early);
    assert_eq!(sign_in(&server, "ann", "another long phrase").status, 204, "waiting as long as told is enough");
    assert_eq!(sign_in(&server, "ann", "a wrong long phrase").status, 401, "a success begins anew");
}
