//! The OpenAPI document, made from the table of operations.

use std::collections::BTreeMap;

use fanfare_protocol::ErrorCode;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AllOfBuilder, Object, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Header, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem,
    PathsBuilder, Ref, RefOr, Required, Response, ResponseBuilder, SecurityRequirement,
};

use super::error::{ErrorCodeName, Failure};
use super::operation::{Route, Shape};
use super::operations;
use super::pages::PAGES;
use super::query::Parameter;

const JSON: &str = "application/json";

/// The whole document.
pub(super) fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    for route in operations::routes() {
        paths = paths.path(route.path(), operation(route));
    }
    for (path, about) in PAGES {
        paths = paths.path(path, page(path, about));
    }
    let info = InfoBuilder::new().title("Fanfare").version(env!("CARGO_PKG_VERSION")).description(Some(
        "What a backend may ask of a Fanfare server. Every answer that is no success is an Error.",
    ));
    // Wherever the document came from.
    let server = ServerBuilder::new().url("/").build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([server]))
        .paths(paths)
        .components(Some(components().build()))
        .build()
}

fn components() -> ComponentsBuilder {
    let mut schemas = Vec::new();
    for route in operations::routes() {
        schemas.push((route.request.name.clone(), request_schema(route)));
        schemas.push((route.reply.name.clone(), (route.reply.schema)()));
        (route.request.parts)(&mut schemas);
        (route.reply.parts)(&mut schemas);
    }
    schemas.push((Failure::name().into_owned(), <Failure as utoipa::PartialSchema>::schema()));
    schemas.push((ErrorCodeName::name().into_owned(), <ErrorCodeName as utoipa::PartialSchema>::schema()));
    Failure::schemas(&mut schemas);
    let header = "The API key; \"Authorization: apikey KEY\" is taken too";
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("X-API-Key", header)));
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let failures = by_status(&[&ALWAYS[..], &WITH_BODY].concat());
    ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .responses_from_iter(
            failures.iter().map(|(status, codes)| (failure_name(*status), failure(*status, codes))),
        )
        .security_scheme("key", key)
        .security_scheme("bearer", bearer)
}

/// A request's schema, with what its own type cannot say: of some members one has to be given, and no more.
fn request_schema(route: &Route) -> RefOr<Schema> {
    let mut schema = (route.request.schema)();
    let RefOr::T(Schema::Object(object)) = &mut schema else { return schema };
    let groups: Vec<Value> = route.one_of.iter().map(|names| one_of(object, names)).collect();
    let rule = match groups.as_slice() {
        [] => return schema,
        [group] => ("oneOf", group["oneOf"].clone()),
        groups => ("allOf", Value::from(groups)),
    };
    object.extensions = Some([rule].into_iter().collect());
    schema
}

/// Exactly one of these members. One that may be `null` is not given where it is.
fn one_of(object: &Object, names: &[&str]) -> Value {
    let given = |name: &&str| match object.properties.get(*name) {
        Some(member) if is_nullable(member) => {
            json!({"required": [name], "properties": {*name: {"not": {"type": "null"}}}})
        }
        _ => json!({"required": [name]}),
    };
    json!({"oneOf": names.iter().map(given).collect::<Vec<_>>()})
}

fn is_nullable(member: &RefOr<Schema>) -> bool {
    let is_null = |kinds: &SchemaType| match kinds {
        SchemaType::Type(kind) => *kind == Type::Null,
        SchemaType::Array(kinds) => kinds.contains(&Type::Null),
        SchemaType::AnyValue => false,
    };
    match member {
        RefOr::T(Schema::Object(object)) => is_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => is_null(&array.schema_type),
        RefOr::T(Schema::OneOf(either)) => either.items.iter().any(is_nullable),
        _ => false,
    }
}

/// The same without `null`, which a query cannot say.
fn not_null(member: RefOr<Schema>) -> RefOr<Schema> {
    let without = |kinds: &mut SchemaType| {
        if let SchemaType::Array(several) = kinds
            && let [kind] = several.iter().filter(|kind| **kind != Type::Null).collect::<Vec<_>>().as_slice()
        {
            *kinds = SchemaType::Type((*kind).clone());
        }
    };
    match member {
        RefOr::T(Schema::OneOf(either)) => match either.items.iter().find(|item| !is_nullable(item)) {
            Some(item) => item.clone(),
            None => RefOr::T(Schema::OneOf(either)),
        },
        RefOr::T(Schema::Object(mut object)) => {
            without(&mut object.schema_type);
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            without(&mut array.schema_type);
            RefOr::T(Schema::Array(array))
        }
        other => other,
    }
}

fn operation(route: &Route) -> PathItem {
    let needed = match (route.request.schema)() {
        RefOr::T(Schema::Object(object)) if object.required.is_empty() && route.one_of.is_empty() => {
            Required::False
        }
        _ => Required::True,
    };
    let body = RequestBodyBuilder::new().content(JSON, content(&route.request.name)).required(Some(needed));
    let mut post = described(route, &[&ALWAYS[..], &WITH_BODY, route.errors].concat())
        .operation_id(Some(route.name))
        .request_body(Some(body.build()));
    if route.keyed {
        post = post.parameter(idempotency_key());
    }
    let mut item = PathItemBuilder::new().operation(HttpMethod::Post, post);
    if route.get {
        let id = format!("get_{}", route.name);
        let parameters = route.query.iter().map(|parameter| query_parameter(route, parameter));
        let get = described(route, &[&ALWAYS[..], route.errors].concat())
            .operation_id(Some(id))
            .parameters(Some(parameters));
        item = item.operation(HttpMethod::Get, get);
    }
    item.build()
}

/// What any call may be answered with.
const ALWAYS: [ErrorCode; 11] = [
    ErrorCode::InvalidRequest,
    ErrorCode::MissingField,
    ErrorCode::InvalidField,
    ErrorCode::Unauthorized,
    ErrorCode::RateLimited,
    ErrorCode::TooManyRequestsInFlight,
    ErrorCode::Internal,
    ErrorCode::Overloaded,
    ErrorCode::Unavailable,
    ErrorCode::OutcomeUnknown,
    ErrorCode::Draining,
];
/// And what one with a body may.
const WITH_BODY: [ErrorCode; 5] = [
    ErrorCode::InvalidJson,
    ErrorCode::NestingTooDeep,
    ErrorCode::HandshakeTimeout,
    ErrorCode::MessageTooLarge,
    ErrorCode::UnsupportedMediaType,
];

fn described(route: &Route, errors: &[ErrorCode]) -> OperationBuilder {
    let none: [&str; 0] = [];
    let mut operation = OperationBuilder::new()
        .summary(Some(route.about))
        .tag("api")
        .security(SecurityRequirement::new("key", none))
        .security(SecurityRequirement::new("bearer", none))
        .response("200", success(&route.reply));
    let common = by_status(&[&ALWAYS[..], &WITH_BODY].concat());
    for (status, codes) in by_status(errors) {
        let response: RefOr<Response> = match common.get(&status) {
            Some(usual) if *usual == codes => Ref::from_response_name(failure_name(status)).into(),
            _ => failure(status, &codes).into(),
        };
        operation = operation.response(status.to_string(), response);
    }
    // The listener says so before there is a request, and without a body.
    operation.response("431", ResponseBuilder::new().description("The head of the request is too long"))
}

fn by_status(codes: &[ErrorCode]) -> BTreeMap<u16, Vec<ErrorCode>> {
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.http_status()).or_default().push(*code);
    }
    by_status
}

/// What most operations have in common is in the document once.
fn failure_name(status: u16) -> String {
    format!("Error{status}")
}

fn success(reply: &Shape) -> Response {
    ResponseBuilder::new().description("Done").content(JSON, content(&reply.name)).build()
}

/// An answer that is no success, and the codes that it may have.
fn failure(status: u16, codes: &[ErrorCode]) -> Response {
    let names = codes.iter().map(|code| code.as_str());
    let about: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.text())).collect();
    let code = ObjectBuilder::new().schema_type(SchemaType::AnyValue).enum_values(Some(names));
    let error = ObjectBuilder::new().property("code", code);
    let narrowed = AllOfBuilder::new()
        .item(Ref::from_schema_name(Failure::name()))
        .item(ObjectBuilder::new().property("error", error));
    let content = ContentBuilder::new().schema(Some(Schema::from(narrowed))).build();
    let mut response = ResponseBuilder::new().description(about.join("; ")).content(JSON, content);
    let header = |about: &str| {
        let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String));
        header.description = Some(about.to_owned());
        header
    };
    match status {
        401 => response = response.header("WWW-Authenticate", header("The schemes that are taken")),
        503 => response = response.header("Retry-After", header("After how many seconds to try again")),
        _ => {}
    }
    response.build()
}

fn content(schema: &str) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build()
}

fn idempotency_key() -> utoipa::openapi::path::Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The same as the member `idempotency_key`, bare or in quotes"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1))))
        .build()
}

/// What the parameter takes is what the member of the same name takes.
fn query_parameter(route: &Route, parameter: &Parameter) -> utoipa::openapi::path::Parameter {
    let mut parts = Vec::new();
    (route.request.parts)(&mut parts);
    let mut schema = Some((route.request.schema)());
    for name in parameter.name.split('.') {
        // A member that has members of its own is one of the parts.
        if let Some(RefOr::Ref(reference)) = &schema {
            let named = |(part, _): &&(String, _)| reference.ref_location.ends_with(&format!("/{part}"));
            schema = parts.iter().find(named).map(|(_, part)| part.clone());
        }
        schema = match schema {
            Some(RefOr::T(Schema::Object(object))) => object.properties.get(name).cloned().map(not_null),
            _ => None,
        };
    }
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(ParameterIn::Query)
        .required(if parameter.required { Required::True } else { Required::False })
        .description(Some(parameter.about))
        .schema(schema)
        .build()
}

fn page(path: &str, about: &str) -> PathItem {
    let (kind, schema) = match path {
        "/metrics" => ("text/plain", Schema::from(ObjectBuilder::new().schema_type(Type::String))),
        _ => (JSON, Schema::from(ObjectBuilder::new())),
    };
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut answer = ResponseBuilder::new().description("It is so").content(kind, content.clone());
    if path == "/metrics" {
        answer = answer.content("application/openmetrics-text", content);
    }
    let mut operation = OperationBuilder::new()
        .operation_id(Some(path.trim_start_matches('/').replace('.', "_")))
        .summary(Some(about))
        .tag("node")
        .response("200", answer.build());
    let failures: &[ErrorCode] = match path {
        "/ready" => &[ErrorCode::Draining],
        // Unless it is served here, and to those who have a key.
        "/metrics" => &[ErrorCode::NotFound, ErrorCode::Unauthorized, ErrorCode::Unavailable],
        _ => &[],
    };
    for code in failures {
        let status = code.http_status();
        operation = operation.response(status.to_string(), failure(status, &[*code]));
    }
    PathItemBuilder::new().operation(HttpMethod::Get, operation).build()
}
