//! `history`: a page of a channel's past.

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_protocol::command::HistoryRange;
use fanfare_protocol::{ChannelName, ErrorCode, Publication};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::http_api::ApiState;
use crate::http_api::error::ApiError;
use crate::http_api::fields::{self, Scope, Since, Text};
use crate::http_api::operation::Operation;
use crate::http_api::query::{Parameter, ParameterKind};
use crate::http_api::reply::{self, Moment};
use crate::http_api::schemas::{Base64, Channel, Epoch, Label, Offset, Tags, User};

/// Messages of a page when no number is given.
const PAGE_DEFAULT: u32 = 100;

/// Which past messages of which channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"channel": "chat:lobby", "limit": 10, "reverse": true}))]
pub(in crate::http_api) struct HistoryRequest<'a> {
    /// Which channel.
    #[schema(value_type = Channel, required = true)]
    channel: Text<'a>,
    /// Messages after this place, or before it when reversed.
    #[serde(borrow)]
    #[schema(value_type = Option<Since<'static>>, required = false)]
    since: Option<Since<'a>>,
    /// At most so many; 0 asks only for the place of the newest.
    #[schema(value_type = Option<u32>, required = false, default = 100)]
    limit: Option<u32>,
    /// Newest first.
    #[schema(value_type = Option<bool>, required = false)]
    reverse: Option<bool>,
}

/// A page of history.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct HistoryReply {
    /// The messages, and entries of who came and went between them, in the order asked for. `limit` counts messages.
    messages: Vec<PastMessage>,
    /// The life of the numbering.
    #[schema(value_type = Epoch)]
    epoch: String,
    /// The number of the channel's newest message.
    #[schema(value_type = Offset)]
    offset: u64,
    /// Whether further messages lie beyond the last one of these.
    more: bool,
}

/// A message of the past. Either `data` or `binary`.
#[derive(Serialize, ToSchema)]
pub(in crate::http_api) struct PastMessage {
    /// Its number; an entry has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Offset, required = false)]
    offset: Option<u64>,
    /// Of an entry: the number of the message that it follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Offset, required = false)]
    after: Option<u64>,
    /// `join` or `leave` where it says that the sender came or went.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    entry: Option<String>,
    /// The user it came from, for an anonymous sender the connection, for the backend nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = User, required = false)]
    from: Option<String>,
    /// What was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    data: Option<Box<RawValue>>,
    /// Bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Base64, required = false)]
    binary: Option<String>,
    /// When, in seconds of Unix time.
    #[schema(value_type = f64)]
    timestamp: Moment,
    /// Its labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Tags, required = false)]
    tags: BTreeMap<String, String>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Label, required = false)]
    key: Option<String>,
}

pub(in crate::http_api) struct History {
    channel: ChannelName,
    range: HistoryRange,
}

impl Operation for History {
    const NAME: &'static str = "history";
    const ABOUT: &'static str = "Get past messages of a channel";
    const QUERY: Option<&'static [Parameter]> = Some(&[
        Parameter::required("channel", ParameterKind::Text, "Which channel"),
        Parameter::optional("since.epoch", ParameterKind::Text, "The epoch of the place to begin after"),
        Parameter::optional("since.offset", ParameterKind::Number, "The offset of the place to begin after"),
        Parameter::optional("limit", ParameterKind::Number, "At most so many"),
        Parameter::optional("reverse", ParameterKind::Flag, "Newest first"),
    ]);
    const ERRORS: &'static [ErrorCode] = &[
        ErrorCode::InvalidChannel,
        ErrorCode::UnknownNamespace,
        ErrorCode::HistoryDisabled,
        ErrorCode::HistoryUnavailable,
    ];
    type Request<'a> = HistoryRequest<'a>;
    type Reply = HistoryReply;

    fn understand(request: HistoryRequest<'_>, _scope: &Scope<'_>) -> Result<Self, ApiError> {
        let channel = fields::channel(&fields::required(request.channel, "channel")?, "channel")?;
        let range = HistoryRange {
            since: fields::since(request.since.as_ref())?,
            limit: request.limit.unwrap_or(PAGE_DEFAULT),
            reverse: request.reverse.unwrap_or_default(),
        };
        Ok(Self { channel, range })
    }

    async fn perform(self, state: &Arc<ApiState>) -> Result<HistoryReply, ApiError> {
        if self.range.limit > state.history_page_max {
            return Err(ApiError::invalid("limit", &format!("at most {}", state.history_page_max)));
        }
        let page = state.fanfare.history(self.channel, self.range).await?;
        Ok(HistoryReply {
            messages: page.publications.iter().map(|publication| past(publication)).collect(),
            epoch: page.position.epoch.to_string(),
            offset: page.position.offset,
            more: page.more,
        })
    }
}

fn past(publication: &Publication) -> PastMessage {
    let from = publication.from.as_ref().map(ToString::to_string);
    let labels = publication.labels.as_deref();
    let tags = labels.map(|labels| labels.tags.as_slice()).unwrap_or_default();
    let place = publication.position.offset;
    let entry = publication.entry().map(str::to_owned);
    PastMessage {
        offset: entry.is_none().then_some(place),
        after: entry.is_some().then_some(place),
        entry,
        from: from.or_else(|| publication.connection.map(|connection| connection.to_string())),
        data: reply::data(&publication.data),
        binary: reply::binary(&publication.data),
        timestamp: Moment(publication.timestamp_ms),
        tags: tags.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        key: publication.key().map(str::to_owned),
    }
}
