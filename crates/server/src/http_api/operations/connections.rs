//! `connections`: the connections of this node, page by page.

use std::sync::Arc;

use fanfare_protocol::ErrorCode;
use fanfare_protocol::command::Topic;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Scope, Text};
use crate::http_api::operation::Operation;
use crate::http_api::query::{Parameter, ParameterKind};
use crate::http_api::reply::Moment;
use crate::http_api::schemas::{Channel, Connection, Pattern, User};
use crate::inspection::{ConnectionFilter, ConnectionState};

const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 1000;

/// Which connections.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user": "ann"}))]
pub(in crate::http_api) struct ConnectionsRequest<'a> {
    /// Only this user's.
    #[schema(value_type = Option<User>, required = false)]
    user: Text<'a>,
    /// Only those subscribed to this channel.
    #[schema(value_type = Option<Channel>, required = false)]
    channel: Text<'a>,
    /// Only those after this one: the last one of the page before.
    #[schema(value_type = Option<Connection>, required = false)]
    after: Text<'a>,
    /// At most so many.
    #[schema(value_type = Option<u32>, required = false, default = 100, maximum = 1000)]
    limit: Option<u32>,
}

/// A page of connections, in the order of their ids.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct ConnectionsReply {
    /// The connections.
    connections: Vec<ListedConnection>,
}

/// A connection.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct ListedConnection {
    /// Its id.
    #[schema(value_type = Connection)]
    connection: String,
    /// Whose; nothing while anonymous.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = User, required = false)]
    user: Option<String>,
    /// What it speaks.
    dialect: &'static str,
    /// Where it comes from, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    address: Option<String>,
    /// When it connected, in seconds of Unix time.
    #[schema(value_type = f64)]
    connected: Moment,
    /// The channels it is subscribed to.
    #[schema(value_type = Vec<Channel>)]
    channels: Vec<String>,
    /// The patterns it listens to.
    #[schema(value_type = Vec<Pattern>)]
    patterns: Vec<String>,
    /// Bytes that wait to be written to it.
    outbox_bytes: usize,
}

impl From<ConnectionState> for ListedConnection {
    fn from(state: ConnectionState) -> Self {
        let (mut channels, mut patterns) = (Vec::new(), Vec::new());
        for topic in &state.subscriptions {
            match topic {
                Topic::Channel(name) => channels.push(name.to_string()),
                Topic::Pattern(pattern) => patterns.push(pattern.to_string()),
            }
        }
        Self {
            connection: state.connection.to_string(),
            user: state.user.map(|user| user.to_string()),
            dialect: state.dialect,
            address: state.address.map(|address| address.to_string()),
            connected: Moment(state.connected_ms),
            channels,
            patterns,
            outbox_bytes: state.outbox_bytes,
        }
    }
}

pub(in crate::http_api) struct Connections(ConnectionFilter);

impl Operation for Connections {
    const NAME: &'static str = "connections";
    const ABOUT: &'static str = "List connections of this node";
    const QUERY: Option<&'static [Parameter]> = Some(&[
        Parameter::optional("user", ParameterKind::Text, "Only this user's"),
        Parameter::optional("channel", ParameterKind::Text, "Only those subscribed to this channel"),
        Parameter::optional("after", ParameterKind::Text, "Only those after this one"),
        Parameter::optional("limit", ParameterKind::Number, "At most so many"),
    ]);
    const ERRORS: &'static [ErrorCode] = &[ErrorCode::InvalidChannel];
    type Request<'a> = ConnectionsRequest<'a>;
    type Reply = ConnectionsReply;

    fn understand(request: ConnectionsRequest<'_>, _scope: &Scope<'_>) -> Result<Self, ApiError> {
        Ok(Self(ConnectionFilter {
            user: request.user.map(|id| fields::user(&id, "user")).transpose()?,
            channel: request.channel.map(|name| fields::channel(&name, "channel")).transpose()?,
            after: request.after.map(|id| fields::connection(&id, "after")).transpose()?,
            limit: fields::bounded(request.limit, "limit", PAGE_DEFAULT, PAGE_MAX)? as usize,
        }))
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<ConnectionsReply, ApiError> {
        let connections = state.fanfare.connections(self.0).await;
        Ok(ConnectionsReply { connections: connections.into_iter().map(Into::into).collect() })
    }
}
