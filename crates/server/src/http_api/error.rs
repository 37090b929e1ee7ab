//! A refusal, as the caller reads it.

use std::borrow::Cow;

use axum::response::Response;
use fanfare_protocol::ErrorCode;
use http::StatusCode;
use http::header::{ACCEPT_ENCODING, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use utoipa::ToSchema;

use super::reply;
use crate::network::Denied;
use crate::network::head::ENCODINGS;

/// Why an operation was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    code: ErrorCode,
    message: Cow<'static, str>,
    field: Option<String>,
}

/// The body of every answer that is not a success.
#[derive(Serialize, ToSchema)]
pub(super) struct Failure {
    error: FailureDetail,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
pub(super) struct FailureDetail {
    /// Which failure: stable, to be acted on.
    #[schema(value_type = ErrorCodeName)]
    code: &'static str,
    /// For people; may change.
    message: String,
    /// The member of the body, or the parameter, that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    field: Option<String>,
}

/// A code of the error table.
pub(super) struct ErrorCodeName;

impl utoipa::PartialSchema for ErrorCodeName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let codes = ErrorCode::ALL.iter().map(|code| code.as_str());
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("A stable name for what went wrong"))
            .enum_values(Some(codes))
            .into()
    }
}

impl ToSchema for ErrorCodeName {
    fn name() -> Cow<'static, str> {
        "ErrorCode".into()
    }
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: code.text().into(), field: None }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        Self::new(denied.code(), denied.text().to_owned())
    }
}

impl ApiError {
    pub(super) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), field: None }
    }

    pub(super) fn missing(field: &str) -> Self {
        Self::new(ErrorCode::MissingField, format!("\"{field}\" is missing")).at(field)
    }

    pub(super) fn invalid(field: &str, must: &str) -> Self {
        Self::new(ErrorCode::InvalidField, format!("\"{field}\" must be {must}")).at(field)
    }

    pub(super) fn not_found(message: String) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    pub(super) fn method_not_allowed() -> Self {
        ErrorCode::MethodNotAllowed.into()
    }

    /// Names the member that is meant.
    pub(super) fn at(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    pub(super) fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the caller reads of it.
    pub(super) fn detail(&self) -> FailureDetail {
        FailureDetail {
            code: self.code.as_str(),
            message: self.message.clone().into_owned(),
            field: self.field.clone(),
        }
    }

    /// The whole answer.
    pub(super) fn respond(&self) -> Response {
        let status =
            StatusCode::from_u16(self.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&Failure { error: self.detail() }).unwrap_or_default();
        let mut response = reply::json(status, body);
        if self.code == ErrorCode::Unauthorized {
            let challenge = HeaderValue::from_static("Bearer realm=\"fanfare\", ApiKey realm=\"fanfare\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE && self.code.retry() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // RFC 9110, section 15.5.16: which encoding would be taken.
        if self.code == ErrorCode::UnsupportedMediaType {
            response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
        }
        response
    }
}
