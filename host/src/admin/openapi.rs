//! The OpenAPI document (version 3.1), from the table of operations and the types of their answers.

use super::answer::Problem;
use super::operations::{OPERATIONS, Operation, QueryKind};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// What every name looks like: an agent's, a run's, a rotation's.
const NAME: &str = "^[A-Za-z0-9._-]{1,128}$";

/// What the path of a secret looks like.
const PATH: &str = "^[A-Za-z0-9._-]{1,128}(/[A-Za-z0-9._-]{1,128})*$";

/// The document.
pub(super) fn document() -> String {
    let mut generator =
        SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = "/components/schemas".into()).into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let answer = (operation.answers)(&mut generator);
        let described = described(operation, &json!(answer), &json!(problem));
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.as_str().to_lowercase(), described);
        }
    }
    let schemas = generator.take_definitions(true);
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Strongroom",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What operators ask of a host that serves, and tell it to do. Roles: a viewer looks; an operator runs, stops, pauses and \
                            resumes agents, has manifests read anew, and turns the kill switch on; an admin lifts that, replaces keys, takes versions of secrets out of use, and confirms the ledger."
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "At the address. The socket asks the kernel who comes."},
                "certificate": {"type": "mutualTLS", "description": "At the address, in place of a token."}
            }
        },
        "security": [{"token": []}, {"certificate": []}]
    });
    format!("{document:#}")
}

fn described(operation: &Operation, answer: &Value, problem: &Value) -> Value {
    let mut parameters = Vec::new();
    if let Some(name) = operation.parameter() {
        parameters.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "pattern": NAME}}));
    }
    for query in operation.query {
        let schema = match query.kind {
            QueryKind::Name => json!({"type": "string", "pattern": NAME}),
            QueryKind::Bool => json!({"type": "boolean"}),
            QueryKind::Path => json!({"type": "string", "pattern": PATH, "maxLength": 512}),
        };
        let required = query.required;
        parameters.push(json!({"name": query.name, "in": "query", "required": required, "description": query.summary, "schema": schema}));
    }
    let kind = if operation.is_lines { "application/x-ndjson" } else { "application/json" };
    let mut responses = Map::from_iter([("200".to_owned(), json!({"description": "Done.", "content": {kind: {"schema": answer}}}))]);
    let general =
        [(400, "A name or the query is wrong, or there is a body."), (401, "Nobody is proved to ask."), (403, "Whoever asks may not.")];
    // What changes something is in the audit log before it is done.
    let audit = (operation.method != http::Method::GET).then_some((500, "The audit log, or what is to be changed, can't be written."));
    for (status, when) in general.iter().copied().chain(audit).chain(operation.problems.iter().copied()) {
        let content = json!({"application/problem+json": {"schema": problem}});
        responses.insert(status.to_string(), json!({"description": when, "content": content}));
    }
    json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "description": format!("For the role {}.", operation.role.as_str()),
        "parameters": parameters,
        "responses": responses
    })
}
