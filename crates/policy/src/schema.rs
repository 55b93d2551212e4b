//! The JSON Schema of the input, made from its types, and the check that policies read only what is there.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::{
    Input,
    tree::{Part, Path, Read},
};

/// JSON Schema 2020-12 of the input of every decision.
pub fn input_schema() -> Value {
    let mut all = Vec::new();
    Input::schemas(&mut all);
    let mut definitions: Map<String, Value> =
        all.into_iter().filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?))).collect();
    definitions.insert("Input".to_owned(), serde_json::to_value(Input::schema()).unwrap_or_default());
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The input of a policy decision",
        "$ref": "#/$defs/Input",
        "$defs": definitions,
    });
    point_home(&mut schema);
    schema
}

/// References to components become references within this document.
fn point_home(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get_mut("$ref") {
                *target = target.replace("#/components/schemas/", "#/$defs/");
            }
            map.values_mut().for_each(point_home);
        }
        Value::Array(items) => items.iter_mut().for_each(point_home),
        _ => {}
    }
}

/// The reads that lead nowhere: to a field that the input does not have.
pub(crate) fn unknown(schema: &Value, reads: impl IntoIterator<Item = Read>) -> BTreeSet<Read> {
    reads.into_iter().filter(|read| !has(schema, &read.path)).collect()
}

fn has(schema: &Value, path: &Path) -> bool {
    let mut at = vec![schema];
    for part in &path.0 {
        at = at.into_iter().flat_map(|node| members(schema, node, part, 0)).collect();
    }
    !at.is_empty()
}

/// The values that may stand at a path, where the schema lists them.
pub(crate) fn choices(schema: &Value, path: &Path) -> Vec<Value> {
    let mut at = vec![schema];
    for part in &path.0 {
        at = at.into_iter().flat_map(|node| members(schema, node, part, 0)).collect();
    }
    let mut found: Vec<Value> = Vec::new();
    for _ in 0..4 {
        found.extend(at.iter().filter_map(|node| node.get("enum")?.as_array()).flatten().cloned());
        at = at.into_iter().flat_map(|node| choices_of(schema, node)).collect();
    }
    found
}

/// What a schema refers to or is one of.
fn choices_of<'a>(schema: &'a Value, node: &'a Value) -> Vec<&'a Value> {
    let target = node.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    let mut found: Vec<&Value> = target.and_then(|pointer| schema.pointer(pointer)).into_iter().collect();
    found.extend(["oneOf", "anyOf"].iter().filter_map(|choice| node.get(choice)?.as_array()).flatten());
    found
}

/// The schemas that a step from `node` may lead to.
fn members<'a>(schema: &'a Value, node: &'a Value, part: &Part, depth: u8) -> Vec<&'a Value> {
    let Some(map) = node.as_object().filter(|_| depth < 8) else { return Vec::new() };
    if map.keys().all(|key| matches!(key.as_str(), "description" | "title" | "default")) {
        return vec![node];
    }
    let mut found = Vec::new();
    if let Some(target) = map.get("$ref").and_then(Value::as_str) {
        let pointer = target.strip_prefix('#').unwrap_or(target);
        found.extend(schema.pointer(pointer).map(|node| members(schema, node, part, depth + 1)).unwrap_or_default());
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        let nodes = map.get(choice).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        found.extend(nodes.iter().flat_map(|node| members(schema, node, part, depth + 1)));
    }
    let fields = map.get("properties").and_then(Value::as_object);
    match part {
        Part::Field(name) => found.extend(fields.and_then(|fields| fields.get(name))),
        Part::Each => {
            found.extend(fields.into_iter().flat_map(Map::values));
            found.extend(map.get("items"));
        }
    }
    found.extend(map.get("additionalProperties").filter(|more| more.is_object()));
    found
}

#[cfg(test)]
mod tests;
