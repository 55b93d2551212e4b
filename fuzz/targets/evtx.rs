//! Any bytes as an EVTX file: records, or named errors, and every record is one flat JSON object.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shieldops_ingest::{formats, formats::evtx_file, normalise_parts};

fuzz_target!(|data: &[u8]| {
    let Ok(records) = evtx_file::read(data.to_vec()) else { return };
    for record in records.flatten() {
        assert!(formats::flat::members(&record.json).is_some(), "{}", record.json);
        let (normalised, _) = normalise_parts("windows", formats::WINDOWS, record.json.as_bytes());
        assert!(!normalised.flat.contains('\n'));
    }
});
