//! The OpenAPI document, made from the table of operations.

use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem,
    PathsBuilder, Ref, RefOr, Required, Response, ResponseBuilder, SecurityRequirement,
};

use super::error::{ErrorCodeName, Failure};
use super::operation::{Route, Shape};
use super::operations;
use super::pages::PAGES;
use super::query::{Parameter, ParameterKind};

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
        for shape in [&route.request, &route.reply] {
            schemas.push((shape.name.clone(), (shape.schema)()));
            (shape.parts)(&mut schemas);
        }
    }
    schemas.push((Failure::name().into_owned(), <Failure as utoipa::PartialSchema>::schema()));
    schemas.push((ErrorCodeName::name().into_owned(), <ErrorCodeName as utoipa::PartialSchema>::schema()));
    Failure::schemas(&mut schemas);
    let header = "The API key; \"Authorization: apikey KEY\" is taken too";
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("X-API-Key", header)));
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let failure = ResponseBuilder::new()
        .description("The operation was not carried out; the code says why")
        .content(JSON, content(&Failure::name()));
    ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("key", key)
        .security_scheme("bearer", bearer)
        .response("Error", failure.build())
}

fn operation(route: &Route) -> PathItem {
    let needed = match (route.request.schema)() {
        RefOr::T(Schema::Object(object)) if object.required.is_empty() => Required::False,
        _ => Required::True,
    };
    let body = RequestBodyBuilder::new().content(JSON, content(&route.request.name)).required(Some(needed));
    let post = described(route).operation_id(Some(route.name)).request_body(Some(body.build()));
    let mut item = PathItemBuilder::new().operation(HttpMethod::Post, post);
    if route.get {
        let id = format!("get_{}", route.name);
        let get = described(route).operation_id(Some(id)).parameters(Some(route.query.iter().map(parameter)));
        item = item.operation(HttpMethod::Get, get);
    }
    item.build()
}

fn described(route: &Route) -> OperationBuilder {
    let none: [&str; 0] = [];
    OperationBuilder::new()
        .summary(Some(route.about))
        .tag("api")
        .security(SecurityRequirement::new("key", none))
        .security(SecurityRequirement::new("bearer", none))
        .response("200", success(&route.reply))
        .response("default", RefOr::<Response>::Ref(Ref::from_response_name("Error")))
}

fn success(reply: &Shape) -> Response {
    ResponseBuilder::new().description("Done").content(JSON, content(&reply.name)).build()
}

fn content(schema: &str) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build()
}

fn parameter(parameter: &Parameter) -> utoipa::openapi::path::Parameter {
    let simple = |kind: Type| Schema::Object(ObjectBuilder::new().schema_type(kind).build());
    let schema = match parameter.kind {
        ParameterKind::Text => simple(Type::String),
        ParameterKind::Number => simple(Type::Integer),
        ParameterKind::Flag => simple(Type::Boolean),
        ParameterKind::List => {
            Schema::Array(ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String)).build())
        }
    };
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(ParameterIn::Query)
        .required(if parameter.required { Required::True } else { Required::False })
        .description(Some(parameter.about))
        .schema(Some(schema))
        .build()
}

fn page(path: &str, about: &str) -> PathItem {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(path.trim_start_matches('/').replace('.', "_")))
        .summary(Some(about))
        .tag("node")
        .response("200", ResponseBuilder::new().description("It is so").build());
    if path == "/ready" {
        operation = operation.response("503", RefOr::<Response>::Ref(Ref::from_response_name("Error")));
    }
    PathItemBuilder::new().operation(HttpMethod::Get, operation).build()
}
