//! What can be published, and how.

use std::collections::BTreeMap;

use bytes::Bytes;
use fanfare_protocol::Payload;
use serde::Serialize;

use crate::error::Error;

/// A message to be published.
///
/// ```
/// use fanfare_client::Publication;
///
/// let order = Publication::json(&serde_json::json!({"item": 7}))?.tag("region", "eu").idempotency_key("order-7");
/// let picture = Publication::binary(&b"\x89PNG"[..]);
/// # Ok::<(), fanfare_client::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    pub(crate) data: Payload,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) key: Option<String>,
    pub(crate) echo: bool,
    pub(crate) idempotency_key: Option<String>,
}

impl Publication {
    fn new(data: Payload) -> Self {
        Self { data, tags: BTreeMap::new(), key: None, echo: false, idempotency_key: None }
    }

    /// A JSON value.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    pub fn json(value: &impl Serialize) -> Result<Self, Error> {
        match serde_json::to_vec(value) {
            Ok(json) => Ok(Self::new(Payload::Json(json.into()))),
            Err(error) => Err(Error::invalid(format!("the data cannot be written as JSON: {error}"))),
        }
    }

    /// A text; subscribers see a JSON string.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Payload::Text(text.into().into()))
    }

    /// Bytes.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::new(Payload::Binary(bytes.into()))
    }

    /// A label that subscribers may filter by.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Where only the latest is kept for slow subscribers: of what.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The sender's own subscription gets a copy too.
    #[must_use]
    pub fn echo(mut self) -> Self {
        self.echo = true;
        self
    }

    /// However often it is published under this key, it is published once. So that a publication whose
    /// answer went missing can be repeated.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

impl From<&str> for Publication {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<serde_json::Value> for Publication {
    fn from(value: serde_json::Value) -> Self {
        // A Value is always writable; its Display is its JSON.
        Self::new(Payload::Json(value.to_string().into()))
    }
}
