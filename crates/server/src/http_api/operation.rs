//! The shape of every operation, and how one becomes a route.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_protocol::ErrorCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::ApiState;
use super::body;
use super::error::ApiError;
use super::fields::Scope;
use super::query::Parameter;

/// Something that a backend may ask for: a request that is understood first, whole, and then carried out.
pub(super) trait Operation: Sized + Send + 'static {
    /// The last part of its path.
    const NAME: &'static str;
    /// A line for people.
    const ABOUT: &'static str;
    /// Whether it only asks, so that it may also come by GET with these parameters.
    const QUERY: Option<&'static [Parameter]> = None;
    /// Whether it may be part of a batch.
    const IN_BATCH: bool = false;
    /// Whether it honours an idempotency key.
    const KEYED: bool = false;
    /// Of each of these groups of members, one has to be given and no more.
    const ONE_OF: &'static [&'static [&'static str]] = &[];
    /// What it may be refused for beyond what every operation may be.
    const ERRORS: &'static [ErrorCode] = &[];
    /// Whether its body holds many messages.
    const MANY: bool = false;
    /// The body.
    type Request<'a>: Deserialize<'a> + ToSchema;
    /// The answer.
    type Reply: Serialize + ToSchema;

    /// Checks the request and makes it the engine's.
    fn understand(request: Self::Request<'_>, scope: &Scope<'_>) -> Result<Self, ApiError>;

    /// Carries it out. What it submits it submits before it first waits: a batch keeps its order by that.
    fn perform(self, state: &Arc<ApiState>) -> impl Future<Output = Result<Self::Reply, ApiError>> + Send;
}

/// The JSON of a reply.
pub(super) type Answer = Box<RawValue>;

/// An operation under way.
pub(super) type Running = Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send>>;

/// Starts an operation on a body, perhaps under the idempotency key of a header.
pub(super) type Call = fn(Arc<ApiState>, Bytes, Option<Box<str>>) -> Running;

/// An operation without its types.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) get: bool,
    pub(super) query: &'static [Parameter],
    pub(super) in_batch: bool,
    pub(super) keyed: bool,
    pub(super) many: bool,
    pub(super) one_of: &'static [&'static [&'static str]],
    pub(super) errors: &'static [ErrorCode],
    pub(super) call: Call,
    pub(super) request: Shape,
    pub(super) reply: Shape,
}

/// A type's place in the OpenAPI document.
#[derive(Clone)]
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) schema: fn() -> RefOr<Schema>,
    pub(super) parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Shape {
    fn of<T: ToSchema>() -> Self {
        Self { name: T::name().into_owned(), schema: T::schema, parts: T::schemas }
    }
}

impl Route {
    pub(super) fn of<O: Operation>() -> Self {
        Self {
            name: O::NAME,
            about: O::ABOUT,
            get: O::QUERY.is_some(),
            query: O::QUERY.unwrap_or_default(),
            in_batch: O::IN_BATCH,
            keyed: O::KEYED,
            many: O::MANY,
            one_of: O::ONE_OF,
            errors: O::ERRORS,
            call: call::<O>,
            request: Shape::of::<O::Request<'static>>(),
            reply: Shape::of::<O::Reply>(),
        }
    }

    pub(super) fn path(&self) -> String {
        format!("/api/{}", self.name)
    }
}

fn call<O: Operation>(state: Arc<ApiState>, bytes: Bytes, key: Option<Box<str>>) -> Running {
    Box::pin(async move {
        let operation = understand::<O>(&state, &bytes, key.as_deref())?;
        let reply = operation.perform(&state).await?;
        serde_json::value::to_raw_value(&reply).map_err(|_| ErrorCode::Internal.into())
    })
}

/// On its own, so that what is borrowed from the body is gone before anything is awaited.
fn understand<O: Operation>(state: &ApiState, bytes: &Bytes, key: Option<&str>) -> Result<O, ApiError> {
    let request = body::parse(bytes)?;
    let message_bytes_max = state.message_bytes_max;
    O::understand(request, &Scope { body: bytes, message_bytes_max, idempotency_key: key })
}
