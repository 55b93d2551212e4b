//! The description of the API as a list of operations, with every place in each that could carry somebody else's id.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use shieldops_model::{Clock as _, SystemClock};

/// How deep a body is looked into.
const DEPTH: usize = 6;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Path(String),
    Query(String),
    /// Members, and `0` for the first of an array.
    Body(Vec<String>),
}

/// What a place takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Takes {
    /// The prefix of an id.
    Id(String),
    /// An id of any kind, as a filter by subject.
    AnyId,
    Slug,
    Login,
    /// The name of a target.
    Target,
    Entity,
    Cursor,
    /// Words that are searched for.
    Words,
    /// The id of a rule of the tenant's own.
    Rule,
    /// The name of a thing of the tenant's own, by the first part of its path.
    Name(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) places: Vec<(Place, Takes)>,
    /// Query parameters that must be there.
    pub(crate) query: Vec<(String, String)>,
    /// The least body that is taken; none where there is no JSON body.
    pub(crate) body: Option<Value>,
}

struct Reader<'a> {
    schemas: &'a Map<String, Value>,
}

pub(crate) fn operations(description: &Value) -> Vec<Operation> {
    let reader = Reader { schemas: description["components"]["schemas"].as_object().unwrap() };
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                found.push(reader.operation(method, path, operation));
            }
        }
    }
    found
}

impl Reader<'_> {
    fn operation(&self, method: &str, path: &str, operation: &Value) -> Operation {
        let (mut places, mut query) = (Vec::new(), Vec::new());
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap().to_owned();
            let takes = self.takes(&name, &parameter["schema"]);
            match parameter["in"].as_str().unwrap() {
                "path" => {
                    let takes = takes.or_else(|| named(path, &name)).unwrap_or(Takes::AnyId);
                    places.push((Place::Path(name), takes));
                }
                "query" => {
                    if parameter["required"] == true {
                        query.push((name.clone(), "x".to_owned()));
                    }
                    places.extend(takes.map(|takes| (Place::Query(name), takes)));
                }
                _ => {}
            }
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let body = schema.is_object().then(|| self.sample(schema, DEPTH));
        if schema.is_object() {
            self.walk(schema, &mut Vec::new(), &mut places);
        }
        Operation { method: method.to_uppercase(), path: path.to_owned(), places, query, body }
    }

    /// A schema without references, alternatives and compositions.
    fn plain(&self, schema: &Value) -> Value {
        if let Some(name) = schema["$ref"].as_str() {
            return self.plain(&self.schemas[name.rsplit('/').next().unwrap()]);
        }
        for word in ["oneOf", "anyOf"] {
            let first = schema[word].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null"));
            if let Some(first) = first {
                return self.plain(first);
            }
        }
        let Some(parts) = schema["allOf"].as_array() else { return schema.clone() };
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for part in parts {
            let part = self.plain(part);
            properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        json!({"type": "object", "properties": properties, "required": required})
    }

    fn takes(&self, name: &str, schema: &Value) -> Option<Takes> {
        let schema = self.plain(schema);
        if let Some(pattern) = schema["pattern"].as_str()
            && let Some((prefix, _)) = pattern.trim_start_matches('^').split_once('_')
            && prefix.len() == 3
        {
            return Some(Takes::Id(prefix.to_owned()));
        }
        if !is_text(&schema) || schema["enum"].is_array() {
            return None;
        }
        let id = |prefix: &str| Some(Takes::Id(prefix.to_owned()));
        match name {
            "slug" | "tenant" | "parent" => Some(Takes::Slug),
            "cursor" => Some(Takes::Cursor),
            "entity" => Some(Takes::Entity),
            "q" => Some(Takes::Words),
            "subject" => Some(Takes::AnyId),
            "actor" | "owner" => Some(Takes::Login),
            "assignee" => id("usr"),
            "role" | "default_role" => id("rol"),
            "plan_id" => id("pln"),
            "incident_id" => id("inc"),
            _ => None,
        }
    }

    fn walk(&self, schema: &Value, at: &mut Vec<String>, places: &mut Vec<(Place, Takes)>) {
        let schema = self.plain(schema);
        if at.len() > DEPTH {
            return;
        }
        let name = at.iter().rev().find(|part| *part != "0").cloned().unwrap_or_default();
        let target = at.len() > 1 && name == "name" && at.contains(&"target".to_owned());
        if let Some(takes) = if target { Some(Takes::Target) } else { self.takes(&name, &schema) } {
            places.push((Place::Body(at.clone()), takes));
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            at.push(name.clone());
            self.walk(member, at, places);
            at.pop();
        }
        if schema["items"].is_object() {
            at.push("0".to_owned());
            self.walk(&schema["items"], at, places);
            at.pop();
        }
    }

    /// The least value of a schema.
    fn sample(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.plain(schema);
        if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
            return first.clone();
        }
        if let Some(properties) = schema["properties"].as_object().filter(|_| depth > 0) {
            let required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let wanted = properties.iter().filter(|(name, _)| required.contains(&name.as_str()));
            return wanted.map(|(name, member)| (name.clone(), self.sample(member, depth - 1))).collect();
        }
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("object");
        match kind {
            "array" => json!([self.sample(&schema["items"], depth.saturating_sub(1))]),
            "integer" | "number" => json!(schema["minimum"].as_i64().unwrap_or(1)),
            "boolean" => json!(false),
            "string" => text(&schema),
            _ => json!({}),
        }
    }
}

/// Things of a tenant's detection that are known by a name or an id of their author's.
fn named(path: &str, parameter: &str) -> Option<Takes> {
    match (path.split('/').nth(3)?, parameter) {
        ("rules", "id") => Some(Takes::Rule),
        ("value-lists", "name") => Some(Takes::Name("value-lists")),
        ("pipelines", "name") => Some(Takes::Name("pipelines")),
        _ => None,
    }
}

fn is_text(schema: &Value) -> bool {
    let kind = &schema["type"];
    kind == "string" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("string")))
}

fn text(schema: &Value) -> Value {
    if schema["format"] == "date-time" {
        return json!(soon());
    }
    match schema["pattern"].as_str().and_then(|pattern| pattern.trim_start_matches('^').split_once('_')) {
        Some((prefix, _)) if prefix.len() == 3 => json!(format!("{prefix}_{}", "0".repeat(26))),
        _ => json!("a text"),
    }
}

/// A week from now.
fn soon() -> String {
    SystemClock.now().plus(Duration::from_hours(7 * 24)).to_string()
}

/// Bodies that a schema alone does not tell.
pub(crate) fn known_bodies() -> BTreeMap<(&'static str, &'static str), Value> {
    let action = json!({"capability": "linux.block_ip", "target": {"kind": "linux_host", "name": "sim/b"}, "params": {"address": "203.0.113.9"}});
    BTreeMap::from([
        (("POST", "/api/v1/plans"), json!({"actions": [action]})),
        (("PATCH", "/api/v1/alerts/{id}"), json!({"status": "in_progress"})),
        (("POST", "/api/v1/alerts/bulk"), json!({"ids": [], "status": "in_progress", "reason": "looked at"})),
        (("POST", "/api/v1/keys"), json!({"name": "made", "permissions": ["alert.read"]})),
        (("PUT", "/api/v1/keys/{id}"), json!({"name": "made", "permissions": ["alert.read"]})),
        (("POST", "/api/v1/roles"), json!({"name": "made", "permissions": ["alert.read"]})),
        (("PUT", "/api/v1/roles/{id}"), json!({"name": "made", "permissions": ["alert.read"]})),
        (("POST", "/api/v1/invitations"), json!({"name": "nobody-yet", "role": "viewer"})),
        (("POST", "/api/v1/grants"), json!({"role": "viewer", "reason": "a look", "expires_at": soon()})),
    ])
}
