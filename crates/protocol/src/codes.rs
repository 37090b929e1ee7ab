//! Every error and close code that a client or backend can meet.
//!
//! Written by `cargo xtask codes` from `spec/codes.json`; change that file, not this one.

/// Whose doing a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client's or the calling backend's.
    Client,
    /// The server's or the application's behind it.
    Server,
    /// Nobody's: it is how things end.
    Nobody,
}

/// What went wrong with one request or message. The connection is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorCode {
    /// The message is not valid JSON.
    InvalidJson,
    /// The message is not a valid Protocol Buffers message.
    InvalidProtobuf,
    /// The message is not an object with a type.
    InvalidMessage,
    /// The dialect takes the other kind of WebSocket message, text or binary.
    WrongFrameKind,
    /// No such message type.
    UnknownType,
    /// A required member is missing.
    MissingField,
    /// A member has the wrong type or value.
    InvalidField,
    /// The channel name or pattern is not valid.
    InvalidChannel,
    /// The message is nested too deeply.
    NestingTooDeep,
    /// The message is larger than the limit.
    MessageTooLarge,
    /// The connection must authenticate first.
    AuthenticationRequired,
    /// The credential was not accepted.
    AuthenticationFailed,
    /// The server is not configured to take credentials.
    AuthenticationDisabled,
    /// The token has expired.
    TokenExpired,
    /// The token was revoked.
    TokenRevoked,
    /// Not allowed by the namespace's rules.
    PermissionDenied,
    /// The data is larger than the namespace allows.
    DataTooLarge,
    /// The namespace is not configured.
    UnknownNamespace,
    /// The connection is already subscribed.
    AlreadySubscribed,
    /// The connection is not subscribed.
    NotSubscribed,
    /// The connection has as many subscriptions as it may.
    SubscriptionLimit,
    /// The namespace keeps no history.
    HistoryDisabled,
    /// The position is no longer, or not yet, in the channel's history.
    HistoryUnavailable,
    /// The namespace keeps no presence.
    PresenceDisabled,
    /// The application has no such method.
    UnknownMethod,
    /// The application's handler failed.
    HandlerFailed,
    /// The application's handler took too long.
    RequestTimeout,
    /// Too many requests of this connection are unanswered.
    TooManyRequestsInFlight,
    /// Too many messages.
    RateLimited,
    /// The server has more to do than it can hold.
    Overloaded,
    /// The broker does not answer.
    Unavailable,
    /// Nobody knows whether it was carried out.
    OutcomeUnknown,
    /// A defect of the server.
    Internal,
    /// The API key is missing or wrong.
    Unauthorized,
    /// The request body does not fit the operation.
    InvalidRequest,
    /// The body must be application/json.
    UnsupportedMediaType,
    /// Nothing is there.
    NotFound,
    /// The operation takes another HTTP method.
    MethodNotAllowed,
    /// The WebSocket handshake is not valid.
    BadHandshake,
    /// This address speaks WebSocket.
    UpgradeRequired,
    /// Only WebSocket version 13 is spoken.
    UnsupportedVersion,
    /// Only WebSocket is connected to.
    UnsupportedProtocol,
    /// No such dialect.
    UnknownDialect,
    /// The request took too long to arrive.
    HandshakeTimeout,
    /// Pages of this origin may not connect.
    OriginNotAllowed,
    /// A cookie authenticates only together with its CSRF token.
    CsrfFailed,
    /// The node has as many connections as it may.
    NodeFull,
    /// The address has as many connections as it may.
    AddressLimit,
    /// The user has as many connections as they may.
    UserLimit,
    /// The node is shutting down.
    Draining,
    /// The session is not known, or no longer has what comes next: begin a new one and recover.
    SessionLost,
    /// Another batch of messages is expected first.
    OutOfTurn,
}

impl ErrorCode {
    /// All of them.
    pub const ALL: &[ErrorCode] = &[
        ErrorCode::InvalidJson,
        ErrorCode::InvalidProtobuf,
        ErrorCode::InvalidMessage,
        ErrorCode::WrongFrameKind,
        ErrorCode::UnknownType,
        ErrorCode::MissingField,
        ErrorCode::InvalidField,
        ErrorCode::InvalidChannel,
        ErrorCode::NestingTooDeep,
        ErrorCode::MessageTooLarge,
        ErrorCode::AuthenticationRequired,
        ErrorCode::AuthenticationFailed,
        ErrorCode::AuthenticationDisabled,
        ErrorCode::TokenExpired,
        ErrorCode::TokenRevoked,
        ErrorCode::PermissionDenied,
        ErrorCode::DataTooLarge,
        ErrorCode::UnknownNamespace,
        ErrorCode::AlreadySubscribed,
        ErrorCode::NotSubscribed,
        ErrorCode::SubscriptionLimit,
        ErrorCode::HistoryDisabled,
        ErrorCode::HistoryUnavailable,
        ErrorCode::PresenceDisabled,
        ErrorCode::UnknownMethod,
        ErrorCode::HandlerFailed,
        ErrorCode::RequestTimeout,
        ErrorCode::TooManyRequestsInFlight,
        ErrorCode::RateLimited,
        ErrorCode::Overloaded,
        ErrorCode::Unavailable,
        ErrorCode::OutcomeUnknown,
        ErrorCode::Internal,
        ErrorCode::Unauthorized,
        ErrorCode::InvalidRequest,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::NotFound,
        ErrorCode::MethodNotAllowed,
        ErrorCode::BadHandshake,
        ErrorCode::UpgradeRequired,
        ErrorCode::UnsupportedVersion,
        ErrorCode::UnsupportedProtocol,
        ErrorCode::UnknownDialect,
        ErrorCode::HandshakeTimeout,
        ErrorCode::OriginNotAllowed,
        ErrorCode::CsrfFailed,
        ErrorCode::NodeFull,
        ErrorCode::AddressLimit,
        ErrorCode::UserLimit,
        ErrorCode::Draining,
        ErrorCode::SessionLost,
        ErrorCode::OutOfTurn,
    ];

    /// The code as it is written in every dialect.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::InvalidJson => "invalid_json",
            ErrorCode::InvalidProtobuf => "invalid_protobuf",
            ErrorCode::InvalidMessage => "invalid_message",
            ErrorCode::WrongFrameKind => "wrong_frame_kind",
            ErrorCode::UnknownType => "unknown_type",
            ErrorCode::MissingField => "missing_field",
            ErrorCode::InvalidField => "invalid_field",
            ErrorCode::InvalidChannel => "invalid_channel",
            ErrorCode::NestingTooDeep => "nesting_too_deep",
            ErrorCode::MessageTooLarge => "message_too_large",
            ErrorCode::AuthenticationRequired => "authentication_required",
            ErrorCode::AuthenticationFailed => "authentication_failed",
            ErrorCode::AuthenticationDisabled => "authentication_disabled",
            ErrorCode::TokenExpired => "token_expired",
            ErrorCode::TokenRevoked => "token_revoked",
            ErrorCode::PermissionDenied => "permission_denied",
            ErrorCode::DataTooLarge => "data_too_large",
            ErrorCode::UnknownNamespace => "unknown_namespace",
            ErrorCode::AlreadySubscribed => "already_subscribed",
            ErrorCode::NotSubscribed => "not_subscribed",
            ErrorCode::SubscriptionLimit => "subscription_limit",
            ErrorCode::HistoryDisabled => "history_disabled",
            ErrorCode::HistoryUnavailable => "history_unavailable",
            ErrorCode::PresenceDisabled => "presence_disabled",
            ErrorCode::UnknownMethod => "unknown_method",
            ErrorCode::HandlerFailed => "handler_failed",
            ErrorCode::RequestTimeout => "request_timeout",
            ErrorCode::TooManyRequestsInFlight => "too_many_requests_in_flight",
            ErrorCode::RateLimited => "rate_limited",
            ErrorCode::Overloaded => "overloaded",
            ErrorCode::Unavailable => "unavailable",
            ErrorCode::OutcomeUnknown => "outcome_unknown",
            ErrorCode::Internal => "internal",
            ErrorCode::Unauthorized => "unauthorized",
            ErrorCode::InvalidRequest => "invalid_request",
            ErrorCode::UnsupportedMediaType => "unsupported_media_type",
            ErrorCode::NotFound => "not_found",
            ErrorCode::MethodNotAllowed => "method_not_allowed",
            ErrorCode::BadHandshake => "bad_handshake",
            ErrorCode::UpgradeRequired => "upgrade_required",
            ErrorCode::UnsupportedVersion => "unsupported_version",
            ErrorCode::UnsupportedProtocol => "unsupported_protocol",
            ErrorCode::UnknownDialect => "unknown_dialect",
            ErrorCode::HandshakeTimeout => "handshake_timeout",
            ErrorCode::OriginNotAllowed => "origin_not_allowed",
            ErrorCode::CsrfFailed => "csrf_failed",
            ErrorCode::NodeFull => "node_full",
            ErrorCode::AddressLimit => "address_limit",
            ErrorCode::UserLimit => "user_limit",
            ErrorCode::Draining => "draining",
            ErrorCode::SessionLost => "session_lost",
            ErrorCode::OutOfTurn => "out_of_turn",
        }
    }

    /// The general text, for people.
    pub fn text(self) -> &'static str {
        match self {
            ErrorCode::InvalidJson => "the message is not valid JSON",
            ErrorCode::InvalidProtobuf => "the message is not a valid Protocol Buffers message",
            ErrorCode::InvalidMessage => "the message is not an object with a type",
            ErrorCode::WrongFrameKind => {
                "the dialect takes the other kind of WebSocket message, text or binary"
            }
            ErrorCode::UnknownType => "no such message type",
            ErrorCode::MissingField => "a required member is missing",
            ErrorCode::InvalidField => "a member has the wrong type or value",
            ErrorCode::InvalidChannel => "the channel name or pattern is not valid",
            ErrorCode::NestingTooDeep => "the message is nested too deeply",
            ErrorCode::MessageTooLarge => "the message is larger than the limit",
            ErrorCode::AuthenticationRequired => "the connection must authenticate first",
            ErrorCode::AuthenticationFailed => "the credential was not accepted",
            ErrorCode::AuthenticationDisabled => "the server is not configured to take credentials",
            ErrorCode::TokenExpired => "the token has expired",
            ErrorCode::TokenRevoked => "the token was revoked",
            ErrorCode::PermissionDenied => "not allowed by the namespace's rules",
            ErrorCode::DataTooLarge => "the data is larger than the namespace allows",
            ErrorCode::UnknownNamespace => "the namespace is not configured",
            ErrorCode::AlreadySubscribed => "the connection is already subscribed",
            ErrorCode::NotSubscribed => "the connection is not subscribed",
            ErrorCode::SubscriptionLimit => "the connection has as many subscriptions as it may",
            ErrorCode::HistoryDisabled => "the namespace keeps no history",
            ErrorCode::HistoryUnavailable => {
                "the position is no longer, or not yet, in the channel's history"
            }
            ErrorCode::PresenceDisabled => "the namespace keeps no presence",
            ErrorCode::UnknownMethod => "the application has no such method",
            ErrorCode::HandlerFailed => "the application's handler failed",
            ErrorCode::RequestTimeout => "the application's handler took too long",
            ErrorCode::TooManyRequestsInFlight => "too many requests of this connection are unanswered",
            ErrorCode::RateLimited => "too many messages",
            ErrorCode::Overloaded => "the server has more to do than it can hold",
            ErrorCode::Unavailable => "the broker does not answer",
            ErrorCode::OutcomeUnknown => "nobody knows whether it was carried out",
            ErrorCode::Internal => "a defect of the server",
            ErrorCode::Unauthorized => "the API key is missing or wrong",
            ErrorCode::InvalidRequest => "the request body does not fit the operation",
            ErrorCode::UnsupportedMediaType => "the body must be application/json",
            ErrorCode::NotFound => "nothing is there",
            ErrorCode::MethodNotAllowed => "the operation takes another HTTP method",
            ErrorCode::BadHandshake => "the WebSocket handshake is not valid",
            ErrorCode::UpgradeRequired => "this address speaks WebSocket",
            ErrorCode::UnsupportedVersion => "only WebSocket version 13 is spoken",
            ErrorCode::UnsupportedProtocol => "only WebSocket is connected to",
            ErrorCode::UnknownDialect => "no such dialect",
            ErrorCode::HandshakeTimeout => "the request took too long to arrive",
            ErrorCode::OriginNotAllowed => "pages of this origin may not connect",
            ErrorCode::CsrfFailed => "a cookie authenticates only together with its CSRF token",
            ErrorCode::NodeFull => "the node has as many connections as it may",
            ErrorCode::AddressLimit => "the address has as many connections as it may",
            ErrorCode::UserLimit => "the user has as many connections as they may",
            ErrorCode::Draining => "the node is shutting down",
            ErrorCode::SessionLost => {
                "the session is not known, or no longer has what comes next: begin a new one and recover"
            }
            ErrorCode::OutOfTurn => "another batch of messages is expected first",
        }
    }

    /// The status of an HTTP response that carries it.
    pub fn http_status(self) -> u16 {
        match self {
            ErrorCode::InvalidJson => 400,
            ErrorCode::InvalidProtobuf => 400,
            ErrorCode::InvalidMessage => 400,
            ErrorCode::WrongFrameKind => 400,
            ErrorCode::UnknownType => 400,
            ErrorCode::MissingField => 400,
            ErrorCode::InvalidField => 400,
            ErrorCode::InvalidChannel => 400,
            ErrorCode::NestingTooDeep => 400,
            ErrorCode::MessageTooLarge => 413,
            ErrorCode::AuthenticationRequired => 401,
            ErrorCode::AuthenticationFailed => 401,
            ErrorCode::AuthenticationDisabled => 400,
            ErrorCode::TokenExpired => 401,
            ErrorCode::TokenRevoked => 401,
            ErrorCode::PermissionDenied => 403,
            ErrorCode::DataTooLarge => 413,
            ErrorCode::UnknownNamespace => 404,
            ErrorCode::AlreadySubscribed => 409,
            ErrorCode::NotSubscribed => 409,
            ErrorCode::SubscriptionLimit => 429,
            ErrorCode::HistoryDisabled => 400,
            ErrorCode::HistoryUnavailable => 410,
            ErrorCode::PresenceDisabled => 400,
            ErrorCode::UnknownMethod => 404,
            ErrorCode::HandlerFailed => 500,
            ErrorCode::RequestTimeout => 504,
            ErrorCode::TooManyRequestsInFlight => 429,
            ErrorCode::RateLimited => 429,
            ErrorCode::Overloaded => 503,
            ErrorCode::Unavailable => 503,
            ErrorCode::OutcomeUnknown => 504,
            ErrorCode::Internal => 500,
            ErrorCode::Unauthorized => 401,
            ErrorCode::InvalidRequest => 400,
            ErrorCode::UnsupportedMediaType => 415,
            ErrorCode::NotFound => 404,
            ErrorCode::MethodNotAllowed => 405,
            ErrorCode::BadHandshake => 400,
            ErrorCode::UpgradeRequired => 426,
            ErrorCode::UnsupportedVersion => 426,
            ErrorCode::UnsupportedProtocol => 501,
            ErrorCode::UnknownDialect => 400,
            ErrorCode::HandshakeTimeout => 408,
            ErrorCode::OriginNotAllowed => 403,
            ErrorCode::CsrfFailed => 403,
            ErrorCode::NodeFull => 503,
            ErrorCode::AddressLimit => 429,
            ErrorCode::UserLimit => 429,
            ErrorCode::Draining => 503,
            ErrorCode::SessionLost => 410,
            ErrorCode::OutOfTurn => 409,
        }
    }

    /// Whether the same request may succeed later.
    pub fn retry(self) -> bool {
        match self {
            ErrorCode::InvalidJson => false,
            ErrorCode::InvalidProtobuf => false,
            ErrorCode::InvalidMessage => false,
            ErrorCode::WrongFrameKind => false,
            ErrorCode::UnknownType => false,
            ErrorCode::MissingField => false,
            ErrorCode::InvalidField => false,
            ErrorCode::InvalidChannel => false,
            ErrorCode::NestingTooDeep => false,
            ErrorCode::MessageTooLarge => false,
            ErrorCode::AuthenticationRequired => false,
            ErrorCode::AuthenticationFailed => false,
            ErrorCode::AuthenticationDisabled => false,
            ErrorCode::TokenExpired => false,
            ErrorCode::TokenRevoked => false,
            ErrorCode::PermissionDenied => false,
            ErrorCode::DataTooLarge => false,
            ErrorCode::UnknownNamespace => false,
            ErrorCode::AlreadySubscribed => false,
            ErrorCode::NotSubscribed => false,
            ErrorCode::SubscriptionLimit => false,
            ErrorCode::HistoryDisabled => false,
            ErrorCode::HistoryUnavailable => false,
            ErrorCode::PresenceDisabled => false,
            ErrorCode::UnknownMethod => false,
            ErrorCode::HandlerFailed => false,
            ErrorCode::RequestTimeout => true,
            ErrorCode::TooManyRequestsInFlight => true,
            ErrorCode::RateLimited => true,
            ErrorCode::Overloaded => true,
            ErrorCode::Unavailable => true,
            ErrorCode::OutcomeUnknown => false,
            ErrorCode::Internal => true,
            ErrorCode::Unauthorized => false,
            ErrorCode::InvalidRequest => false,
            ErrorCode::UnsupportedMediaType => false,
            ErrorCode::NotFound => false,
            ErrorCode::MethodNotAllowed => false,
            ErrorCode::BadHandshake => false,
            ErrorCode::UpgradeRequired => false,
            ErrorCode::UnsupportedVersion => false,
            ErrorCode::UnsupportedProtocol => false,
            ErrorCode::UnknownDialect => false,
            ErrorCode::HandshakeTimeout => true,
            ErrorCode::OriginNotAllowed => false,
            ErrorCode::CsrfFailed => false,
            ErrorCode::NodeFull => true,
            ErrorCode::AddressLimit => true,
            ErrorCode::UserLimit => true,
            ErrorCode::Draining => true,
            ErrorCode::SessionLost => false,
            ErrorCode::OutOfTurn => false,
        }
    }

    /// Whose doing it is.
    pub fn fault(self) -> Fault {
        match self {
            ErrorCode::InvalidJson => Fault::Client,
            ErrorCode::InvalidProtobuf => Fault::Client,
            ErrorCode::InvalidMessage => Fault::Client,
            ErrorCode::WrongFrameKind => Fault::Client,
            ErrorCode::UnknownType => Fault::Client,
            ErrorCode::MissingField => Fault::Client,
            ErrorCode::InvalidField => Fault::Client,
            ErrorCode::InvalidChannel => Fault::Client,
            ErrorCode::NestingTooDeep => Fault::Client,
            ErrorCode::MessageTooLarge => Fault::Client,
            ErrorCode::AuthenticationRequired => Fault::Client,
            ErrorCode::AuthenticationFailed => Fault::Client,
            ErrorCode::AuthenticationDisabled => Fault::Client,
            ErrorCode::TokenExpired => Fault::Client,
            ErrorCode::TokenRevoked => Fault::Client,
            ErrorCode::PermissionDenied => Fault::Client,
            ErrorCode::DataTooLarge => Fault::Client,
            ErrorCode::UnknownNamespace => Fault::Client,
            ErrorCode::AlreadySubscribed => Fault::Client,
            ErrorCode::NotSubscribed => Fault::Client,
            ErrorCode::SubscriptionLimit => Fault::Client,
            ErrorCode::HistoryDisabled => Fault::Client,
            ErrorCode::HistoryUnavailable => Fault::Client,
            ErrorCode::PresenceDisabled => Fault::Client,
            ErrorCode::UnknownMethod => Fault::Client,
            ErrorCode::HandlerFailed => Fault::Server,
            ErrorCode::RequestTimeout => Fault::Server,
            ErrorCode::TooManyRequestsInFlight => Fault::Client,
            ErrorCode::RateLimited => Fault::Client,
            ErrorCode::Overloaded => Fault::Server,
            ErrorCode::Unavailable => Fault::Server,
            ErrorCode::OutcomeUnknown => Fault::Server,
            ErrorCode::Internal => Fault::Server,
            ErrorCode::Unauthorized => Fault::Client,
            ErrorCode::InvalidRequest => Fault::Client,
            ErrorCode::UnsupportedMediaType => Fault::Client,
            ErrorCode::NotFound => Fault::Client,
            ErrorCode::MethodNotAllowed => Fault::Client,
            ErrorCode::BadHandshake => Fault::Client,
            ErrorCode::UpgradeRequired => Fault::Client,
            ErrorCode::UnsupportedVersion => Fault::Client,
            ErrorCode::UnsupportedProtocol => Fault::Client,
            ErrorCode::UnknownDialect => Fault::Client,
            ErrorCode::HandshakeTimeout => Fault::Client,
            ErrorCode::OriginNotAllowed => Fault::Client,
            ErrorCode::CsrfFailed => Fault::Client,
            ErrorCode::NodeFull => Fault::Server,
            ErrorCode::AddressLimit => Fault::Client,
            ErrorCode::UserLimit => Fault::Client,
            ErrorCode::Draining => Fault::Server,
            ErrorCode::SessionLost => Fault::Client,
            ErrorCode::OutOfTurn => Fault::Client,
        }
    }
}

/// Why a connection was closed; the code of the WebSocket close frame (RFC 6455, section 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum CloseCode {
    /// Closed normally.
    Normal = 1000,
    /// The page or server is going away.
    GoingAway = 1001,
    /// The WebSocket protocol was violated.
    ProtocolError = 1002,
    /// This kind of message is not taken.
    UnsupportedData = 1003,
    /// Text is not valid UTF-8.
    InvalidPayload = 1007,
    /// A rule of the server was violated.
    PolicyViolation = 1008,
    /// The message is larger than the limit.
    MessageTooBig = 1009,
    /// A defect of the server.
    InternalError = 1011,
    /// The node is shutting down, connect again.
    ServiceRestart = 1012,
    /// The server is overloaded.
    TryAgainLater = 1013,
    /// Disconnected by the backend.
    Disconnected = 4000,
    /// The credential was not accepted, or none came in time.
    Unauthenticated = 4001,
    /// Not allowed, by a rule or by the application.
    Forbidden = 4003,
    /// A message was begun and not finished in time.
    MessageTimeout = 4007,
    /// Too many messages.
    RateLimited = 4008,
    /// Too many connections.
    ConnectionLimit = 4009,
    /// No sign of life after a ping.
    PingTimeout = 4010,
    /// Messages were not read as fast as they came; connect again and recover.
    SlowConsumer = 4011,
    /// Continuity was lost; connect again and recover.
    InsufficientState = 4012,
    /// Another connection has taken over the session.
    Replaced = 4013,
}

impl CloseCode {
    /// All of them.
    pub const ALL: &[CloseCode] = &[
        CloseCode::Normal,
        CloseCode::GoingAway,
        CloseCode::ProtocolError,
        CloseCode::UnsupportedData,
        CloseCode::InvalidPayload,
        CloseCode::PolicyViolation,
        CloseCode::MessageTooBig,
        CloseCode::InternalError,
        CloseCode::ServiceRestart,
        CloseCode::TryAgainLater,
        CloseCode::Disconnected,
        CloseCode::Unauthenticated,
        CloseCode::Forbidden,
        CloseCode::MessageTimeout,
        CloseCode::RateLimited,
        CloseCode::ConnectionLimit,
        CloseCode::PingTimeout,
        CloseCode::SlowConsumer,
        CloseCode::InsufficientState,
        CloseCode::Replaced,
    ];

    /// The number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The code of a number on the wire.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// The name, for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            CloseCode::Normal => "normal",
            CloseCode::GoingAway => "going_away",
            CloseCode::ProtocolError => "protocol_error",
            CloseCode::UnsupportedData => "unsupported_data",
            CloseCode::InvalidPayload => "invalid_payload",
            CloseCode::PolicyViolation => "policy_violation",
            CloseCode::MessageTooBig => "message_too_big",
            CloseCode::InternalError => "internal_error",
            CloseCode::ServiceRestart => "service_restart",
            CloseCode::TryAgainLater => "try_again_later",
            CloseCode::Disconnected => "disconnected",
            CloseCode::Unauthenticated => "unauthenticated",
            CloseCode::Forbidden => "forbidden",
            CloseCode::MessageTimeout => "message_timeout",
            CloseCode::RateLimited => "rate_limited",
            CloseCode::ConnectionLimit => "connection_limit",
            CloseCode::PingTimeout => "ping_timeout",
            CloseCode::SlowConsumer => "slow_consumer",
            CloseCode::InsufficientState => "insufficient_state",
            CloseCode::Replaced => "replaced",
        }
    }

    /// The reason on the wire.
    pub fn text(self) -> &'static str {
        match self {
            CloseCode::Normal => "closed normally",
            CloseCode::GoingAway => "the page or server is going away",
            CloseCode::ProtocolError => "the WebSocket protocol was violated",
            CloseCode::UnsupportedData => "this kind of message is not taken",
            CloseCode::InvalidPayload => "text is not valid UTF-8",
            CloseCode::PolicyViolation => "a rule of the server was violated",
            CloseCode::MessageTooBig => "the message is larger than the limit",
            CloseCode::InternalError => "a defect of the server",
            CloseCode::ServiceRestart => "the node is shutting down, connect again",
            CloseCode::TryAgainLater => "the server is overloaded",
            CloseCode::Disconnected => "disconnected by the backend",
            CloseCode::Unauthenticated => "the credential was not accepted, or none came in time",
            CloseCode::Forbidden => "not allowed, by a rule or by the application",
            CloseCode::MessageTimeout => "a message was begun and not finished in time",
            CloseCode::RateLimited => "too many messages",
            CloseCode::ConnectionLimit => "too many connections",
            CloseCode::PingTimeout => "no sign of life after a ping",
            CloseCode::SlowConsumer => {
                "messages were not read as fast as they came; connect again and recover"
            }
            CloseCode::InsufficientState => "continuity was lost; connect again and recover",
            CloseCode::Replaced => "another connection has taken over the session",
        }
    }

    /// Whether connecting again is of use.
    pub fn reconnect(self) -> bool {
        match self {
            CloseCode::Normal => false,
            CloseCode::GoingAway => true,
            CloseCode::ProtocolError => false,
            CloseCode::UnsupportedData => false,
            CloseCode::InvalidPayload => false,
            CloseCode::PolicyViolation => false,
            CloseCode::MessageTooBig => false,
            CloseCode::InternalError => true,
            CloseCode::ServiceRestart => true,
            CloseCode::TryAgainLater => true,
            CloseCode::Disconnected => false,
            CloseCode::Unauthenticated => false,
            CloseCode::Forbidden => false,
            CloseCode::MessageTimeout => true,
            CloseCode::RateLimited => true,
            CloseCode::ConnectionLimit => false,
            CloseCode::PingTimeout => true,
            CloseCode::SlowConsumer => true,
            CloseCode::InsufficientState => true,
            CloseCode::Replaced => false,
        }
    }

    /// Whose doing it is.
    pub fn fault(self) -> Fault {
        match self {
            CloseCode::Normal => Fault::Nobody,
            CloseCode::GoingAway => Fault::Nobody,
            CloseCode::ProtocolError => Fault::Client,
            CloseCode::UnsupportedData => Fault::Client,
            CloseCode::InvalidPayload => Fault::Client,
            CloseCode::PolicyViolation => Fault::Client,
            CloseCode::MessageTooBig => Fault::Client,
            CloseCode::InternalError => Fault::Server,
            CloseCode::ServiceRestart => Fault::Server,
            CloseCode::TryAgainLater => Fault::Server,
            CloseCode::Disconnected => Fault::Nobody,
            CloseCode::Unauthenticated => Fault::Client,
            CloseCode::Forbidden => Fault::Client,
            CloseCode::MessageTimeout => Fault::Client,
            CloseCode::RateLimited => Fault::Client,
            CloseCode::ConnectionLimit => Fault::Client,
            CloseCode::PingTimeout => Fault::Client,
            CloseCode::SlowConsumer => Fault::Client,
            CloseCode::InsufficientState => Fault::Server,
            CloseCode::Replaced => Fault::Nobody,
        }
    }
}
