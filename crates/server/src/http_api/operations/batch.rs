//! `batch`: many operations in one request, in order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_protocol::ErrorCode;
use fanfare_protocol::dialect::excerpt;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{AdditionalProperties, Schema};
use utoipa::openapi::{ObjectBuilder, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::routes;
use crate::http_api::ApiState;
use crate::http_api::body;
use crate::http_api::error::{ApiError, FailureDetail};
use crate::http_api::fields::{self, Scope};
use crate::http_api::operation::{Call, Operation};

/// Operations of one batch.
const OPERATIONS_MAX: usize = 1000;

/// Operations, carried out in this order; one that fails does not keep the others.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"operations": [{"publish": {"channel": "chat:lobby", "data": "hello"}}]}))]
pub(in crate::http_api) struct BatchRequest<'a> {
    /// Objects of one member each: the operation's name, and its body. `publish`, `broadcast`, `send`,
    /// `subscribe`, `unsubscribe`, `disconnect` and `revoke` may stand here.
    #[serde(borrow)]
    #[schema(value_type = Vec<BatchOperation>, required = true, max_items = 1000)]
    operations: Option<Vec<&'a RawValue>>,
}

/// An operation of a batch, as the document shows it.
pub(in crate::http_api) struct BatchOperation;

impl PartialSchema for BatchOperation {
    fn schema() -> RefOr<Schema> {
        let mut object = ObjectBuilder::new()
            .description(Some("One member: the operation's name, and its body"))
            .max_properties(Some(1))
            .min_properties(Some(1))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        for route in routes().iter().filter(|route| route.in_batch) {
            object = object.property(route.name, Ref::from_schema_name(&route.request.name));
        }
        object.into()
    }
}

impl ToSchema for BatchOperation {}

/// The results, in the order of the operations.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct BatchReply {
    /// One for each operation.
    results: Vec<BatchResult>,
}

/// Either `result` or `error`.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct BatchResult {
    /// What the operation would have answered alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    result: Option<Box<RawValue>>,
    /// Why it was not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = FailureDetail, required = false)]
    error: Option<FailureDetail>,
}

pub(in crate::http_api) struct Batch(Vec<Result<(Call, Bytes), ApiError>>);

impl Operation for Batch {
    const NAME: &'static str = "batch";
    const ABOUT: &'static str = "Carry out several operations in order";
    const MANY: bool = true;
    type Request<'a> = BatchRequest<'a>;
    type Reply = BatchReply;

    fn understand(request: BatchRequest<'_>, scope: &Scope<'_>) -> Result<Self, ApiError> {
        let operations = fields::required(request.operations, "operations")?;
        if operations.len() > OPERATIONS_MAX {
            return Err(ApiError::invalid("operations", &format!("a list of at most {OPERATIONS_MAX}")));
        }
        let find = |name: &str| routes().iter().find(|route| route.in_batch && route.name == name);
        let one = |item: &RawValue| {
            let item = scope.body.slice_ref(item.get().as_bytes());
            let members: BTreeMap<Cow<'_, str>, &RawValue> = body::parse(&item)?;
            let mut members = members.into_iter();
            let (Some((name, operation)), None) = (members.next(), members.next()) else {
                let message = "an operation of a batch is an object of one member: its name, and its body";
                return Err(ApiError::new(ErrorCode::InvalidRequest, message));
            };
            let route = find(&name).ok_or_else(|| {
                let name = excerpt(&name);
                let message = format!("no operation \"{name}\" can be part of a batch");
                ApiError::new(ErrorCode::InvalidRequest, message).at(&name)
            })?;
            Ok((route.call, item.slice_ref(operation.get().as_bytes())))
        };
        Ok(Self(operations.into_iter().map(one).collect()))
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<BatchReply, ApiError> {
        // All are polled once, first to last, before any is waited for; each submits at its first poll.
        let running = self.0.into_iter().map(async |operation| match operation {
            Ok((call, bytes)) => call(state.clone(), bytes, None).await,
            Err(error) => Err(error),
        });
        let results = join_all(running).await.into_iter().map(|result| match result {
            Ok(result) => BatchResult { result: Some(result), error: None },
            Err(error) => BatchResult { result: None, error: Some(error.detail()) },
        });
        Ok(BatchReply { results: results.collect() })
    }
}
