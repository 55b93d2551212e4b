//! EVTX files of real attacks, against the flat events that the shared data set says they hold.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test ends at the first surprise")]

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use shieldops_ingest::formats::{evtx_file, windows};

fn shared() -> Option<PathBuf> {
    let base = std::env::var_os("SHIELDOPS_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let data = base.join("data/detect");
    if data.is_dir() {
        return Some(data);
    }
    eprintln!("SKIPPED: no shared data at {}; set SHIELDOPS_SHARED", data.display());
    None
}

fn unpacked(path: &Path) -> Vec<u8> {
    let mut decoder = zstd::Decoder::new(std::fs::File::open(path).unwrap()).unwrap();
    decoder.window_log_max(27).unwrap();
    let mut bytes = Vec::new();
    decoder.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The regular files of a tar archive, by name.
fn files(tar: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut at = 0;
    let mut long_name = None;
    while at + 512 <= tar.len() && tar[at] != 0 {
        let header = &tar[at..at + 512];
        let text = |range: std::ops::Range<usize>| {
            String::from_utf8_lossy(&header[range]).trim_end_matches(['\0', ' ']).to_owned()
        };
        let size = usize::from_str_radix(text(124..136).trim(), 8).unwrap();
        let body = &tar[at + 512..at + 512 + size];
        let prefix = text(345..500);
        match header[156] {
            b'L' => long_name = Some(String::from_utf8_lossy(body).trim_end_matches('\0').to_owned()),
            b'0' | 0 => {
                let name = if prefix.is_empty() || !header[257..].starts_with(b"ustar\0") {
                    text(0..100)
                } else {
                    format!("{prefix}/{}", text(0..100))
                };
                files.push((long_name.take().unwrap_or(name), body.to_vec()));
            }
            _ => {}
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    files
}

fn events(bytes: &[u8]) -> (Vec<String>, usize) {
    let mut errors = 0;
    let mut events = Vec::new();
    for record in evtx_file::read(bytes.to_vec()).unwrap() {
        match record {
            Ok(record) => {
                assert!(record.json.contains(&format!("\"EventRecordID\":{}", record.id)), "{}", record.json);
                events.push(record.json);
            }
            Err(_) => errors += 1,
        }
    }
    (events, errors)
}

#[test]
fn the_attack_samples_give_the_events_that_the_data_set_holds() {
    let Some(data) = shared() else { return };
    let wanted = String::from_utf8(unpacked(&data.join("eas.ndjson.zst"))).unwrap();
    let mut wanted = wanted.lines();
    let archive = files(&unpacked(&data.join("evtx-attack-samples.tar.zst")));
    let mut compared = 0;
    for row in std::fs::read_to_string(data.join("eas.files.tsv")).unwrap().lines().skip(1) {
        let (name, count) = row.split_once('\t').unwrap();
        let (_, bytes) = archive
            .iter()
            .find(|(path, _)| path.ends_with(name))
            .unwrap_or_else(|| panic!("{name} is not in the archive"));
        let (got, _) = events(bytes);
        let expected: Vec<&str> = wanted.by_ref().take(count.parse().unwrap()).collect();
        assert_eq!(got.len(), expected.len(), "{name}");
        for (got, expected) in got.iter().zip(expected) {
            let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(parse(got), parse(expected), "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 8_255);
}

#[test]
fn the_log_sources_are_those_of_the_public_table() {
    let Some(data) = shared() else { return };
    let table = std::fs::read(data.join("../../design/detect-prototype/logsource_windows.json")).unwrap();
    let table: Vec<serde_json::Value> = serde_json::from_slice(&table).unwrap();
    let ids = |entry: &serde_json::Value| -> Vec<i64> {
        entry["event_ids"].as_array().map_or(vec![1], |ids| ids.iter().filter_map(serde_json::Value::as_i64).collect())
    };
    let mut checked = 0;
    for entry in &table {
        for channel in entry["channels"].as_array().unwrap().iter().filter_map(|channel| channel.as_str()) {
            for id in ids(entry) {
                let source = windows::table_source(channel, id);
                let wanted = |key: &str| entry[key].as_str().map(str::to_owned);
                // Rules name the channel of the LDAP client in two ways.
                let service = wanted("service").map(|name| if name == "ldap_debug" { "ldap".to_owned() } else { name });
                assert!(wanted("category").is_none_or(|name| source.categories.contains(&name)), "{channel} {id}");
                assert!(service.is_none_or(|name| source.service == Some(name)), "{channel}");
                let others = |category: &String| {
                    table.iter().any(|other| {
                        other["category"] == category.as_str()
                            && ids(other).contains(&id)
                            && other["channels"].as_array().unwrap().iter().any(|name| name == channel)
                    })
                };
                assert!(source.categories.iter().all(others), "{channel} {id}: {:?}", source.categories);
                checked += 1;
            }
        }
    }
    assert!(checked > 80, "{checked}");
}

#[test]
fn a_cut_or_damaged_file_gives_its_good_records_and_an_error() {
    let Some(data) = shared() else { return };
    let archive = files(&unpacked(&data.join("regression/evtx.tar.zst")));
    let (_, bytes) = archive.iter().find(|(path, bytes)| path.ends_with("evtx") && events(bytes).0.len() > 3).unwrap();
    let (whole, errors) = events(bytes);
    assert_eq!(errors, 0);
    let mut some_lost = false;
    for end in (4_700..bytes.len()).step_by(1_999) {
        let (cut, errors) = events(&bytes[..end]);
        assert!(
            errors > 0 && whole.starts_with(&cut),
            "cut at {end}: {} of {} records, {errors} errors",
            cut.len(),
            whole.len()
        );
        some_lost |= !cut.is_empty() && cut.len() < whole.len();
    }
    assert!(some_lost);
    assert_eq!(events(&bytes[..4_096]).1, 1, "a header without any part");
    for at in (4_096..bytes.len()).step_by(997) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        assert!(events(&damaged).0.len() <= whole.len());
    }
    assert!(evtx_file::read(b"ElfFile\0".to_vec()).is_err());
    assert!(evtx_file::read(b"not a log".to_vec()).is_err());
    assert!(evtx_file::read(Vec::new()).is_err());
}
