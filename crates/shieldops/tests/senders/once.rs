//! Followed files and journals over a kill between delivery and saved place.

use std::{fs, io::Write as _, path::Path};

use crate::{
    feed::{config, markers, quoted},
    server::{Server, until},
};

fn write(log: &Path, numbers: std::ops::Range<usize>) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    for number in numbers {
        writeln!(
            file,
            "Nov 21 10:15:02 web-07 sshd[1]: Failed password for once-{number}; from 203.0.113.9 port 1 ssh2"
        )
        .unwrap();
    }
}

#[test]
fn a_kill_between_the_append_and_the_saved_place_repeats_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("auth.log");
    let arg = config(dir.path(), &format!("[[ingest.files]]\npath = {}\n", quoted(&log)));
    write(&log, 0..10);
    let mut server = Server::start(&["--config", &arg]);
    let person = server.token("personal");
    let wait = |server: &Server, count: usize| {
        let seen = until(|| Some(markers(server, &person, "once")).filter(|seen| seen.len() >= count));
        assert_eq!(seen, (0..count).map(|number| (number, 1)).collect(), "each line once");
    };
    wait(&server, 10);
    let places = Path::new(server.data_dir()).join("places.json");
    for round in 1..4 {
        // What was saved before the lines that come now is what a kill right after their append leaves.
        let saved = fs::read(&places).unwrap();
        write(&log, round * 10..round * 10 + 5);
        wait(&server, round * 10 + 5);
        server.kill();
        fs::write(&places, saved).unwrap();
        write(&log, round * 10 + 5..round * 10 + 10);
        server.restart(&["--config", &arg]);
        wait(&server, round * 10 + 10);
    }
}
