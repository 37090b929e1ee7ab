//! The members that have a form of their own, as the OpenAPI document names them.
//!
//! Nothing is checked here: `fields` does that. A schema is never narrower than the check, so that no caller who goes by
//! the document leaves something unsaid that the server would take.

use std::borrow::Cow;

use fanfare_protocol::dialect::DecodeLimits;
use fanfare_protocol::names::{CHANNEL_NAME_BYTES_MAX, USER_ID_BYTES_MAX};
use utoipa::openapi::schema::{AdditionalProperties, Schema, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::operations::CLOSING_CODES;
use crate::revocations::TOKEN_ID_BYTES_MAX;

/// No control characters, which are Unicode's category Cc.
const PRINTABLE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
/// A namespace without wildcards, then tokens between dots: one of them `*`, or the last one `>`.
const PATTERN: &str = concat!(
    r"^(?:[^:*>\u0000-\u001f\u007f-\u009f]*:)?",
    r"(?:[^.\u0000-\u001f\u007f-\u009f]+\.)*(?:>|\*(?:\.[^.\u0000-\u001f\u007f-\u009f]+)*)$"
);
const BASE64: &str = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";

/// A type of the document that stands for a member and holds nothing.
macro_rules! schema {
    ($($name:ident => $object:expr;)*) => {$(
        pub(super) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $object.into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

schema! {
    Channel => name(1, CHANNEL_NAME_BYTES_MAX, "chat:lobby")
        .description(Some("A channel, as bytes of UTF-8 at most 255; what stands before the first colon is its namespace"));
    Room => name(0, CHANNEL_NAME_BYTES_MAX, "chat:lobby").description(Some("A channel, or nothing for everyone"));
    User => name(1, USER_ID_BYTES_MAX, "ann")
        .description(Some("A user, as bytes of UTF-8 at most 255; for an anonymous connection its id"));
    Label => name(1, DecodeLimits::default().name_bytes_max, "a-name")
        .description(Some("A name, as bytes of UTF-8 at most 255"));
    Pattern => text(1, CHANNEL_NAME_BYTES_MAX, "orders:eu.*")
        .pattern(Some(PATTERN))
        .description(Some("A pattern of at most 12 tokens between dots, of which at most 3 are \"*\", one token; a last \
            \">\" is one or more"));
    Connection => string("5f3a91c2-10000000000002a")
        .pattern(Some("^[0-9a-fA-F]{8}-[0-9a-fA-F]+$"))
        .description(Some("A connection's id, as answers give it"));
    TokenId => text(1, TOKEN_ID_BYTES_MAX, "7f0c1d").description(Some("A token's claim \"jti\""));
    Base64 => string("aGVsbG8=")
        .pattern(Some(BASE64))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Byte)))
        .description(Some("Bytes in base64, padded"));
    Epoch => string("5f3a91c2a0b1c2d3")
        .pattern(Some("^[0-9a-fA-F]+$"))
        .description(Some("The life of a channel's numbering, as answers give it"));
    Offset => ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::Custom("uint64".to_owned())))
        .minimum(Some(0))
        .description(Some("The number of a message; those of one epoch are contiguous, and the first is 1"))
        .examples([42]);
    Tags => tags();
    ClosingCode => ObjectBuilder::new()
        .schema_type(Type::Integer)
        .enum_values(Some(CLOSING_CODES.map(|code| code.number())))
        .description(Some("With 1012 and 1013 clients connect again"));
}

fn string(example: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).examples([serde_json::Value::from(example)])
}

fn text(min: usize, bytes_max: usize, example: &str) -> ObjectBuilder {
    // JSON Schema counts characters: what has more of them has more bytes too.
    string(example).min_length(Some(min)).max_length(Some(bytes_max))
}

fn name(min: usize, bytes_max: usize, example: &str) -> ObjectBuilder {
    text(min, bytes_max, example).pattern(Some(PRINTABLE))
}

fn tags() -> ObjectBuilder {
    let limits = DecodeLimits::default();
    let value = ObjectBuilder::new().schema_type(Type::String).max_length(Some(limits.name_bytes_max));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(Schema::from(name(1, limits.name_bytes_max, "lang"))))
        .additional_properties(Some(AdditionalProperties::from(RefOr::T(Schema::from(value)))))
        .max_properties(Some(limits.list_max))
        .description(Some("Labels that subscriptions may filter by"))
}
