//! How far the event time of each tenant's sources has come, and what came behind it.

use super::*;

/// One event of the source `app` with a time of its own.
fn send(shipper: &Caller, admin: &Caller, time: &str) -> Value {
    let before = admin.get("/api/v1/ingest/stats")["accepted"].as_u64().unwrap();
    let event = json!({"time": from_now(time), "message": "hello"}).to_string();
    shipper.bytes("POST", "/api/v1/events?source=app", &[], "application/json", event.as_bytes()).ok();
    until(|| {
        let stats = admin.get("/api/v1/ingest/stats");
        (stats["processed"].as_u64()? > before).then_some(stats)
    })
}

fn of_app(stats: &Value) -> (Value, u64) {
    let app = stats["sources"].as_array().unwrap().iter().find(|source| source["source"] == "app").unwrap();
    (app["watermark"].clone(), app["late"].as_u64().unwrap())
}

#[test]
fn a_watermark_is_its_tenants_own_and_outlives_a_kill() {
    let mut site = Site::start(&[]);
    let (ours, theirs) = (site.tenant("ours", "Ours", None), site.tenant("theirs", "Theirs", None));
    let shipper = ours.shipper("in");
    let (watermark, late) = of_app(&send(&shipper, &ours.admin, "-100 seconds"));
    assert!(watermark.is_string() && late == 0, "{watermark} {late}");
    let stats = send(&shipper, &ours.admin, "-300 seconds");
    assert_eq!(of_app(&stats), (watermark.clone(), 1), "behind it, and late");
    assert_eq!(stats["watermark"], watermark, "the one source is the tenant's");
    assert_eq!(of_app(&send(&shipper, &ours.admin, "+1 year")), (watermark.clone(), 1), "a clock that nobody believes");
    assert_eq!(theirs.admin.get("/api/v1/ingest/stats")["watermark"], Value::Null);

    site.server.kill();
    site.server.restart_with(&[], &[("SHIELDOPS_LIMITS__ENABLED", "false")]);
    let (shipper, admin) = (shipper.at(site.url()), ours.admin.at(site.url()));
    let stats = admin.get("/api/v1/ingest/stats");
    assert_eq!((of_app(&stats), &stats["watermark"]), ((watermark.clone(), 1), &watermark), "as it was");
    assert_eq!(of_app(&send(&shipper, &admin, "-250 seconds")), (watermark, 2), "still behind it");
}
