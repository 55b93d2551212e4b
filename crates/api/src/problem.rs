//! Errors as RFC 9457 problem details with a stable code. Only the public part leaves the process; the chain is logged.

use axum::{
    Json,
    extract::rejection::{JsonRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shieldops_identity::IdentityError;
use shieldops_model::{Code, Reason};
use shieldops_pipeline::PipelineError;
use shieldops_store::StoreError;
use utoipa::ToSchema;

use crate::limits::Standing;

/// The code of the problem in an answer, for what counts refusals.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) String);

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Names the code; its meaning and its mend are in `docs/reference/errors.md`.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub code: String,
    pub detail: String,
    /// Finds the cause in the server's log.
    pub request_id: String,
    /// Reasons of a policy's denial.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Reason>,
    #[serde(skip)]
    pub retry_after_s: Option<u64>,
    /// Of whoever asked for more than their quota.
    #[serde(skip)]
    pub(crate) standing: Option<Standing>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:shieldops:error:{}", code.name),
            title: code.title.to_owned(),
            status: code.status,
            code: code.name.to_owned(),
            detail: detail.into(),
            request_id: String::new(),
            errors: Vec::new(),
            retry_after_s: None,
            standing: None,
        }
    }

    pub fn not_found() -> Self {
        Self::new(Code::NOT_FOUND, "there is no such object")
    }

    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::INVALID_REQUEST, detail)
    }

    fn internal(code: Code, error: &(dyn std::error::Error + 'static)) -> Self {
        let request_id = hex::encode(rand::random::<[u8; 8]>());
        tracing::error!(request.id = %request_id, error, "a request failed");
        Self { request_id, ..Self::new(code, code.help) }
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        if self.request_id.is_empty() {
            self.request_id = hex::encode(rand::random::<[u8; 8]>());
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (retry, standing) = (self.retry_after_s, self.standing.take());
        let refused = Refused(self.code.clone());
        let mut response = (status, Json(self)).into_response();
        response.extensions_mut().insert(refused);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(standing) = standing {
            standing.write(headers);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound => Self::not_found(),
            StoreError::AlreadyExists { what } => Self::new(Code::ALREADY_EXISTS, format!("`{what}` exists already")),
            StoreError::Conflict => Self::new(Code::CONFLICT, "it changed at the same moment: read it again"),
            StoreError::InvalidCursor => Self::new(Code::INVALID_CURSOR, Code::INVALID_CURSOR.help),
            StoreError::LastAdministrator => Self::new(Code::LAST_ADMINISTRATOR, Code::LAST_ADMINISTRATOR.help),
            StoreError::Stale { version } => {
                let detail = format!("it is at version {version} by now: read it again and repeat the change");
                Self::new(Code::PRECONDITION_FAILED, detail)
            }
            StoreError::InUseBy { .. } | StoreError::Refused { .. } => Self::new(Code::CONFLICT, error.to_string()),
            // Not the size of a request: there is no room for one more of them.
            StoreError::TooMany { .. } => Self::new(Code::CONFLICT, error.to_string()),
            full if full.is_full() => Self::internal(Code::NO_SPACE, &error),
            _ => Self::internal(Code::STORAGE, &error),
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        let detail = error.to_string();
        match error {
            IdentityError::Wait(wait) => {
                // Rounded up: whoever waits as long as told has waited long enough.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Self { retry_after_s: Some(seconds), ..Self::new(Code::RATE_LIMITED, detail) }
            }
            IdentityError::Store(error) => error.into(),
            other => Self::new(other.code(), detail),
        }
    }
}

impl From<PipelineError> for Problem {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Store(error) => error.into(),
            PipelineError::Bus(error) if error.is_pressure() => {
                Self { retry_after_s: Some(1), ..Self::new(Code::BACK_PRESSURE, error.to_string()) }
            }
            PipelineError::Bus(
                shieldops_bus::Error::EventTooLarge { .. } | shieldops_bus::Error::BatchTooLarge { .. },
            ) => Self::new(Code::BODY_TOO_LARGE, error.to_string()),
            PipelineError::Bus(ref cause @ shieldops_bus::Error::NoSpace { .. }) => {
                Self::internal(Code::NO_SPACE, cause)
            }
            PipelineError::Bus(ref cause) => Self::internal(Code::STORAGE, cause),
            PipelineError::TooManyEvents { .. } => Self::new(Code::TOO_MANY_ITEMS, error.to_string()),
            PipelineError::Busy => {
                let seconds = shieldops_pipeline::turns::PATIENCE.as_secs();
                Self { retry_after_s: Some(seconds), ..Self::new(Code::QUEUE_FULL, error.to_string()) }
            }
            PipelineError::NoLog => Self::new(Code::NOT_AN_INGEST_NODE, error.to_string()),
            PipelineError::Stopped | PipelineError::Panicked => Self::new(Code::INTERNAL, error.to_string()),
        }
    }
}

impl From<shieldops_respond::Error> for Problem {
    fn from(error: shieldops_respond::Error) -> Self {
        let code = error.code();
        if code.status == 500 {
            return Self::internal(code, &error);
        }
        let errors = match &error {
            shieldops_respond::Error::Denied(reasons) => reasons.clone(),
            _ => Vec::new(),
        };
        Self { errors, ..Self::new(code, error.to_string()) }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(Code::BODY_TOO_LARGE, "the body is over its limit"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::new(Code::UNSUPPORTED_MEDIA_TYPE, "send application/json"),
            _ => Self::invalid(rejection.body_text()),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}
