//! One record of each service in each of the forms that senders use; and records that nobody should break us with.

use proptest::prelude::*;
use serde_json::{Value, json};
use shieldops_model::Timestamp;

use crate::{Limits, event_time, normalise_parts, recognise};

/// Source, log source, time, class, result, entities.
fn check(record: &Value) -> String {
    let line = record.to_string();
    let seen = recognise(line.as_bytes(), None);
    let received: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let (time, quality) = event_time(&seen, line.as_bytes(), received, &Limits::default());
    let (normalised, problem) = normalise_parts(&seen.source, seen.format, line.as_bytes());
    assert!(problem.is_none(), "{problem:?}");
    let source = &normalised.log_source;
    let entities: Vec<String> = normalised.entities.iter().map(ToString::to_string).collect();
    format!(
        "{} | {}/{}/{} | {time} {quality:?} | {} {} {} | {}",
        seen.source,
        source.product.as_deref().unwrap_or("-"),
        source.categories.join("+"),
        source.service.as_deref().unwrap_or("-"),
        normalised.ocsf.class_name,
        normalised.ocsf.activity,
        normalised.ocsf.status.as_deref().unwrap_or("-"),
        entities.join(" "),
    )
}

fn trail() -> Value {
    json!({"eventVersion": "1.11", "userIdentity": {"type": "IAMUser", "userName": "dana", "accountId": "111122223333"},
        "eventTime": "2026-11-20T08:00:01Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateAccessKey",
        "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.23", "requestParameters": {"userName": "backup-svc"}})
}

const TRAIL: &str = "cloudtrail | aws//cloudtrail | 2026-11-20T08:00:01.000000Z Good | Account Change Create success | ip:198.51.100.23 user:backup-svc user:dana";

#[test]
fn cloudtrail_is_known_alone_and_on_an_event_bus() {
    assert_eq!(check(&trail()), TRAIL);
    let bus = json!({"version": "0", "id": "x", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam",
        "time": "2026-11-20T08:00:01Z", "detail": trail()});
    assert_eq!(check(&bus), TRAIL);
    let mut login = trail();
    login["eventName"] = json!("ConsoleLogin");
    login["eventSource"] = json!("signin.amazonaws.com");
    login["requestParameters"] = Value::Null;
    login["responseElements"] = json!({"ConsoleLogin": "Failure"});
    login["userIdentity"] = json!({"type": "Root", "arn": "arn:aws:iam::111122223333:root"});
    assert_eq!(
        check(&login),
        "cloudtrail | aws//cloudtrail | 2026-11-20T08:00:01.000000Z Good | Authentication Logon failure | ip:198.51.100.23 user:arn:aws:iam::111122223333:root"
    );
}

#[test]
fn a_role_acts_under_the_mail_address_of_its_session_or_its_own_name() {
    let actor = |arn: &str| {
        let mut record = trail();
        record["userIdentity"] = json!({"type": "AssumedRole", "arn": arn});
        record["requestParameters"] = Value::Null;
        let shown = check(&record);
        shown.rsplit_once("user:").unwrap().1.to_owned()
    };
    assert_eq!(actor("arn:aws:sts::111122223333:assumed-role/Admin/dana@corp.example"), "dana@corp.example");
    assert_eq!(actor("arn:aws:sts::111122223333:assumed-role/web/i-0abc"), "web/i-0abc");
}

#[test]
fn records_in_the_words_of_others_have_the_same_log_source() {
    let ecs = json!({"@timestamp": "2026-11-20T08:00:01Z", "event": {"dataset": "aws.cloudtrail", "action": "CreateUser"},
        "user": {"name": "dana"}, "source": {"ip": "198.51.100.23"}, "host": {"name": "shipper-1"}});
    assert_eq!(
        check(&ecs),
        "cloudtrail | aws//cloudtrail | 2026-11-20T08:00:01.000000Z Good | API Activity Other - | ip:198.51.100.23 user:dana"
    );
    let lake = json!({"class_uid": 6003, "time": 1_795_161_601_000_i64, "metadata": {"product": {"name": "CloudTrail"}},
        "api": {"operation": "CreateUser"}, "actor": {"user": {"name": "dana"}}, "src_endpoint": {"ip": "198.51.100.23"}});
    assert_eq!(
        check(&lake),
        "cloudtrail | aws//cloudtrail | 2026-11-20T08:00:01.000000Z Good | API Activity Other - | ip:198.51.100.23 user:dana"
    );
}

#[test]
fn azure_activity_is_the_same_from_a_diagnostic_setting_and_from_the_api() {
    let wanted = "azure-activity | azure//activitylogs | 2026-11-20T08:00:01.500000Z Good | API Activity Update success | ip:198.51.100.23 user:dana@corp.example";
    let upn = json!({"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "dana@corp.example"});
    let exported = json!({"time": "2026-11-20T08:00:01.5000000Z", "resourceId": "/SUBSCRIPTIONS/X",
        "operationName": "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE", "category": "Administrative", "resultType": "Success",
        "callerIpAddress": "198.51.100.23", "identity": {"claims": upn}, "properties": {}});
    assert_eq!(check(&exported), wanted);
    let asked = json!({"authorization": {"action": "x"}, "caller": "dana@corp.example", "claims": {"ipaddr": "198.51.100.23"},
        "eventTimestamp": "2026-11-20T08:00:01.5Z", "resourceId": "/subscriptions/x", "category": {"value": "Administrative", "localizedValue": "A"},
        "operationName": {"value": "Microsoft.Authorization/roleAssignments/write", "localizedValue": "Create role assignment"},
        "status": {"value": "Succeeded", "localizedValue": "Succeeded"}});
    assert_eq!(check(&asked), wanted);
    let flat = normalise_parts("azure", crate::formats::JSON, asked.to_string().as_bytes()).0.flat;
    assert!(flat.contains(r#""operationName":"Microsoft.Authorization/roleAssignments/write""#), "{flat}");
}

#[test]
fn entra_audit_and_sign_in_are_the_same_with_and_without_their_envelope() {
    let audit = json!({"id": "1", "category": "RoleManagement", "activityDisplayName": "Add member to role", "result": "success",
        "activityDateTime": "2026-11-20T08:00:01.2204518Z", "initiatedBy": {"user": {"userPrincipalName": "dana@corp.example", "ipAddress": "198.51.100.23"}},
        "targetResources": [{"type": "User", "userPrincipalName": "lee@corp.example"}]});
    let wanted = "entra-audit | azure//auditlogs | 2026-11-20T08:00:01.220451Z Good | Group Management Create success | ip:198.51.100.23 user:dana@corp.example user:lee@corp.example";
    assert_eq!(check(&audit), wanted);
    let exported = json!({"time": "2026-11-20T08:00:01.2204518Z", "category": "AuditLogs", "operationName": "Add member to role", "properties": audit});
    assert_eq!(check(&exported), wanted);
    let sign_in = |code: i64| {
        json!({"createdDateTime": "2026-11-20T08:00:01Z", "userPrincipalName": "Dana@corp.example", "appId": "x", "appDisplayName": "OfficeHome",
            "ipAddress": "198.51.100.23", "conditionalAccessStatus": "notApplied", "status": {"errorCode": code}})
    };
    let shown = |status: &str| {
        format!(
            "entra-signin | azure//signinlogs | 2026-11-20T08:00:01.000000Z Good | Authentication Logon {status} | ip:198.51.100.23 user:dana@corp.example"
        )
    };
    assert_eq!(check(&sign_in(0)), shown("success"));
    assert_eq!(check(&sign_in(50_126)), shown("failure"));
    assert_eq!(check(&sign_in(50_074)), shown("-"), "one more step is neither");
    let exported = json!({"time": "2026-11-20T08:00:01Z", "category": "SignInLogs", "operationName": "Sign-in activity", "resultType": "0", "properties": sign_in(0)});
    assert_eq!(check(&exported), shown("success"));
}

#[test]
fn google_cloud_and_workspace_tell_principal_and_address() {
    let entry = json!({"protoPayload": {"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "iam.googleapis.com",
        "methodName": "google.iam.admin.v1.CreateServiceAccountKey", "authenticationInfo": {"principalEmail": "dana@corp.example"},
        "requestMetadata": {"callerIp": "198.51.100.23"}, "status": {"code": 7}}, "timestamp": "2026-11-20T08:00:01.5Z",
        "logName": "projects/x/logs/cloudaudit.googleapis.com%2Factivity", "receiveTimestamp": "2026-11-20T08:00:02Z"});
    assert_eq!(
        check(&entry),
        "gcp-audit | gcp//gcp.audit | 2026-11-20T08:00:01.500000Z Good | Account Change Create failure | ip:198.51.100.23 user:dana@corp.example"
    );
    let report = json!({"kind": "admin#reports#activity", "id": {"time": "2026-11-20T08:00:01.204Z", "applicationName": "login"},
        "actor": {"email": "dana@corp.example"}, "ipAddress": "198.51.100.23", "events": [{"type": "login", "name": "login_failure"}]});
    assert_eq!(
        check(&report),
        "google-workspace | gcp//google_workspace.login | 2026-11-20T08:00:01.204000Z Good | Authentication Logon failure | ip:198.51.100.23 user:dana@corp.example"
    );
}

#[test]
fn a_kubernetes_request_is_known_alone_and_in_the_log_of_a_managed_cluster() {
    let request = json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "x", "stage": "ResponseComplete", "verb": "list",
        "user": {"username": "system:serviceaccount:shop:web"}, "sourceIPs": ["198.51.100.23", "10.0.0.1"],
        "objectRef": {"resource": "secrets", "namespace": "shop"}, "responseStatus": {"code": 403},
        "requestReceivedTimestamp": "2026-11-20T07:00:00.000000Z", "stageTimestamp": "2026-11-20T08:00:01.431000Z"});
    let wanted = "| kubernetes/application/audit | 2026-11-20T08:00:01.431000Z Good | API Activity Read failure | ip:198.51.100.23 user:system:serviceaccount:shop:web";
    assert_eq!(check(&request), format!("kubernetes-audit {wanted}"));
    let managed = json!({"time": "2026-11-20T08:00:01.431Z", "category": "kube-audit", "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "properties": {"log": request.to_string(), "pod": "kube-apiserver-1"}});
    assert_eq!(check(&managed), format!("kubernetes-audit {wanted}"));
}

#[test]
fn an_okta_event_tells_who_did_it_to_whom() {
    let event = json!({"uuid": "x", "published": "2026-11-20T08:00:01.318Z", "eventType": "user.mfa.factor.reset_all", "outcome": {"result": "SUCCESS"},
        "actor": {"type": "User", "alternateId": "dana@corp.example"}, "client": {"ipAddress": "198.51.100.23"},
        "target": [{"type": "AppUser", "alternateId": "no"}, {"type": "User", "alternateId": "lee@corp.example"}]});
    assert_eq!(
        check(&event),
        "okta | okta//okta | 2026-11-20T08:00:01.318000Z Good | Account Change Update success | ip:198.51.100.23 user:dana@corp.example user:lee@corp.example"
    );
}

#[test]
fn what_only_looks_like_a_cloud_is_json() {
    for record in [
        json!({"eventName": "x", "eventSource": "y"}),
        json!({"verb": "get", "auditID": "x", "apiVersion": "v1"}),
        json!({"protoPayload": {"@type": "type.googleapis.com/other"}}),
        json!({"operationName": "checkout", "category": "Sales"}),
        json!({"detail-type": "Scheduled Event", "detail": {}}),
        json!({"category": "kube-audit", "properties": {"log": "{broken"}}),
        json!({"actor": "x", "outcome": "y", "eventType": "z"}),
    ] {
        assert!(check(&record).starts_with("json | -//- |"), "{}", check(&record));
    }
}

/// Any JSON under the names that services are told by.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("audit.k8s.io/v1"),
            Just("AuditLogs"),
            Just("SignInLogs"),
            Just("Administrative"),
            Just("kube-audit"),
            Just("admin#reports#activity")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(prop::sample::select(NAMES), inner, 0..8).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Value>()),
        ]
    })
}

const NAMES: &[&str] = &[
    "eventSource",
    "eventName",
    "awsRegion",
    "userIdentity",
    "type",
    "arn",
    "requestParameters",
    "responseElements",
    "detail",
    "detail-type",
    "operationName",
    "category",
    "properties",
    "initiatedBy",
    "targetResources",
    "status",
    "errorCode",
    "claims",
    "identity",
    "protoPayload",
    "methodName",
    "authenticationInfo",
    "kind",
    "apiVersion",
    "auditID",
    "verb",
    "user",
    "sourceIPs",
    "objectRef",
    "eventType",
    "actor",
    "outcome",
    "uuid",
    "target",
    "client",
    "id",
    "time",
    "log",
    "metadata",
    "class_uid",
    "event",
    "dataset",
    "Operation",
    "Workload",
    "OrganizationId",
    "conditionalAccessStatus",
    "appId",
    "localizedValue",
    "value",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn records_of_any_shape_are_read_without_a_problem(record in anything()) {
        let line = json!({"eventSource": record, "eventName": record, "awsRegion": record, "userIdentity": record}).to_string();
        for line in [line, record.to_string()] {
            let seen = recognise(line.as_bytes(), None);
            let (normalised, _) = normalise_parts(&seen.source, seen.format, line.as_bytes());
            prop_assert!(serde_json::from_str::<Value>(&normalised.flat).is_ok());
            prop_assert!(normalised.entities.iter().all(|entity| entity.value.len() <= 1_024));
        }
    }
}
