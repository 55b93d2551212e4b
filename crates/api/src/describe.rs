//! What every operation of the description has in common: who may call it, the headers it takes, and how it refuses.

use axum::http::Method;
use shieldops_model::Code;
use utoipa::{
    ToSchema as _,
    openapi::{
        ContactBuilder, Content, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Required, ResponseBuilder,
        SecurityRequirement, ServerBuilder, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
        tag::TagBuilder,
    },
};

use crate::{
    Problem,
    access::{self, Access},
    idempotency,
};

const PROBLEM: &str = "application/problem+json";

/// The groups of operations, in the order of the reference.
const TAGS: [(&str, &str); 25] = [
    ("session", "Signing in and out, and open sessions."),
    ("account", "One's own password, second factors and permissions."),
    ("overview", "What is going on now."),
    ("alerts", "What the rules found."),
    ("incidents", "Alerts that belong together, and what their investigation says."),
    ("events", "Telemetry: taken in, found again."),
    ("ingest", "What comes in, and what could not be read."),
    ("rules", "Detection rules and their tests."),
    ("indicators", "Lists of what is known to be bad, or known to be fine, and what of it was seen."),
    ("plans", "Responses, their approval and their run."),
    ("actions", "What was done on targets, and its undo."),
    ("targets", "Where may be acted."),
    ("automation", "The one switch over all automation."),
    ("gate", "How far automation may go, what is frozen and protected, and who else must agree."),
    ("policies", "What decides whether something may be done: the built-in policies, and a tenant's own."),
    ("ledger", "The record of everything, and its proof."),
    ("users", "Members of the tenant and invitations to it."),
    ("roles", "Who may do what."),
    ("keys", "API keys of machines."),
    ("tokens", "Tokens of people and of shippers."),
    ("grants", "What a parent tenant may do here."),
    ("settings", "Settings of the tenant, and what it uses."),
    ("notifications", "Where people are told of what waits for them, and what became of the letters."),
    ("jobs", "Work that takes longer than a request."),
    ("tenants", "Tenants of the installation, for its operators."),
];

/// The whole description, from that of the handlers.
pub(crate) fn complete(mut description: OpenApi) -> OpenApi {
    let contact = ContactBuilder::new().name(Some("The people who run this installation")).build();
    description.info.contact = Some(contact);
    description.servers = Some(vec![ServerBuilder::new().url("/").build()]);
    let tag = |(name, about): (&str, &str)| TagBuilder::new().name(name).description(Some(about)).build();
    description.tags = Some(TAGS.map(tag).to_vec());
    description.security = Some(signed_in());
    if let Some(components) = &mut description.components {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A personal token, an API key or an ingest token."))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie =
            ApiKeyValue::with_description("__Host-session", "A person's session; changes carry `Shieldops-Csrf` too.");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
    for (path, item) in &mut description.paths.paths {
        operations(item, |method, operation| finish(&method, path, operation));
    }
    prune(&mut description);
    description
}

/// Without the schemas that nothing refers to: lists repeat those of their items in place.
fn prune(description: &mut OpenApi) {
    loop {
        let text = serde_json::to_string(description).unwrap_or_default();
        let Some(components) = &mut description.components else { return };
        let before = components.schemas.len();
        components.schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
        if components.schemas.len() == before {
            return;
        }
    }
}

fn signed_in() -> Vec<SecurityRequirement> {
    ["bearer", "session"].map(|name| SecurityRequirement::new(name, Vec::<String>::new())).to_vec()
}

fn operations(item: &mut PathItem, mut each: impl FnMut(Method, &mut Operation)) {
    let all = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    for (method, operation) in all {
        if let Some(operation) = operation {
            each(method, operation);
        }
    }
}

fn finish(method: &Method, path: &str, operation: &mut Operation) {
    let access = access::of(method, path);
    if access == Some(Access::Public) {
        operation.security = Some(vec![SecurityRequirement::default()]);
    }
    let needs = said(access);
    operation.description = Some(match operation.description.take() {
        Some(text) => format!("{text}\n\n{needs}"),
        None => needs,
    });
    let parameters = operation.parameters.get_or_insert_default();
    if access != Some(Access::Public) {
        parameters.push(
            header(
                "Shieldops-Tenant",
                "The slug of the tenant that this is about; the credential's own unless told.",
                false,
                "^[a-z0-9-]{1,40}$",
            )
            .into(),
        );
    }
    if idempotency::wanted(method, path) {
        let about = "A fresh random value; the same value repeats the request safely for a day.";
        parameters.push(header("Idempotency-Key", about, true, r#"^([!#-~]{1,128}|"[!#-~]{1,128}")$"#).into());
    }
    if wants_match(method, path) {
        let about = "The ETag of what was read, several with commas between, or `*`.";
        parameters.push(header("If-Match", about, true, r#"^(\*|"[0-9]{1,18}"(, ?"[0-9]{1,18}"){0,15})$"#).into());
    }
    refusals(operation);
}

/// Whether a change is refused without `If-Match`. Signing out and judging change no version that was seen.
fn wants_match(method: &Method, path: &str) -> bool {
    let changes = matches!(*method, Method::PUT | Method::PATCH | Method::DELETE) && path != "/api/v1/session";
    changes || ["/api/v1/settings/rollback", "/api/v1/gate-settings/rollback"].contains(&path)
}

fn said(access: Option<Access>) -> String {
    match access {
        Some(Access::Needs(permission) | Access::NeedsOrLoopback(permission)) => format!("Needs `{permission}`."),
        Some(Access::Stops(permission)) => format!("Needs `{permission}`; in a suspended tenant too."),
        Some(Access::Operator(permission)) => {
            format!("Needs `{permission}`, which operators of the installation have.")
        }
        Some(Access::SignedIn) => "For anybody who is signed in.".to_owned(),
        Some(Access::Public) | None => "Nobody has to be signed in.".to_owned(),
    }
}

fn header(name: &str, about: &str, required: bool, pattern: &str) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(if required { Required::True } else { Required::False })
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

/// Refusals are problems, whatever their status: those that are named, and any other.
fn refusals(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if status.starts_with(['4', '5'])
            && let Some(content) = response.content.shift_remove("application/json")
        {
            response.content.insert(PROBLEM.to_owned(), content);
        }
        if response.description.is_empty() {
            response.description = meaning(status).to_owned();
        }
    }
    let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
    let any = ResponseBuilder::new().description("Refused: `code` says why.").content(PROBLEM, problem).build();
    operation.responses.responses.entry("default".to_owned()).or_insert(any.into());
}

fn meaning(status: &str) -> &'static str {
    match status {
        "200" => "Done",
        "201" => "Made",
        "202" => "Begun",
        "204" => "Done, without more to say",
        _ => Code::ALL.iter().find(|code| code.status.to_string() == status).map_or("Refused", |code| code.title),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_described_and_grouped() {
        let mut description = crate::openapi();
        for (path, item) in &mut description.paths.paths {
            operations(item, |method, operation| {
                let tags = operation.tags.clone().unwrap_or_default();
                assert!(tags.iter().all(|tag| TAGS.iter().any(|(name, _)| name == tag)), "{method} {path}: {tags:?}");
                assert!(!tags.is_empty() && operation.summary.is_some(), "{method} {path}");
                assert!(operation.responses.responses.contains_key("default"), "{method} {path}");
            });
        }
    }
}
