//! What the API is asked for.

use std::net::SocketAddr;

use fanfare_testkit::history::{Operation, Place};
use http::Method;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::Outcome;
use crate::ledger::{Ledger, hash};
use crate::line::{Line, Stop, body, request};

/// The longest page of history.
const PAGE: usize = 1_000;

/// Who publishes in the rooms, as the history knows it.
pub(crate) const BACKEND: u32 = u32::MAX;

/// Where the API is, and what opens it.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
}

impl Backend {
    async fn call(&self, line: &mut Line, operation: &str, message: &Value) -> Result<Value, Stop> {
        let builder = request(Method::POST, &format!("/api/{operation}"));
        let builder = builder.header(AUTHORIZATION, format!("Bearer {}", self.key));
        line.ask(body(builder, "application/json", message.to_string())).await
    }

    /// Publishes over a line. As the same text has the same key, it can be repeated.
    pub(crate) async fn publish(&self, line: &mut Line, channel: &str, text: &str) -> Result<Place, Stop> {
        let message = json!({ "channel": channel, "data": text, "idempotency_key": hash(text).to_string() });
        let told = self.call(line, "publish", &message).await?;
        place(&told).ok_or_else(|| Stop::Wrong(format!("published: {told}")))
    }

    /// How many messages there are in a channel.
    pub(crate) async fn top(&self, channel: &str) -> Outcome<u64> {
        let mut line = Line::new(self.address);
        let asked = self.call(&mut line, "history", &json!({ "channel": channel, "limit": 0 })).await;
        let told = asked.map_err(|stop| format!("{stop}"))?;
        told["offset"].as_u64().ok_or_else(|| told.to_string())
    }

    /// Writes down the whole history of a channel.
    pub(crate) async fn keep(&self, channel: &str, ledger: &Ledger) -> Outcome<()> {
        let mut line = Line::new(self.address);
        let mut since = Value::Null;
        loop {
            let mut asked = json!({ "channel": channel, "limit": PAGE });
            if !since.is_null() {
                asked["since"] = since;
            }
            let page =
                self.call(&mut line, "history", &asked).await.map_err(|stop| format!("{asked}: {stop}"))?;
            let end = place(&page).ok_or_else(|| page.to_string())?;
            let messages = page["messages"].as_array().ok_or_else(|| page.to_string())?;
            for message in messages {
                let (offset, text) = (message["offset"].as_u64(), message["data"].as_str());
                let (Some(offset), Some(text)) = (offset, text) else { return Err(message.to_string()) };
                ledger.write(BACKEND, Operation::Keep, channel, |record| {
                    record.at(end.epoch, offset).with(hash(text));
                });
            }
            if page["more"] != true {
                ledger.write(BACKEND, Operation::Top { kept_min: Some(u64::MAX) }, channel, |record| {
                    record.place = Some(end);
                });
                return Ok(());
            }
            let last = messages.last().map(|message| message["offset"].clone());
            since = json!({ "epoch": page["epoch"], "offset": last });
        }
    }
}

fn place(told: &Value) -> Option<Place> {
    let epoch = u64::from_str_radix(told["epoch"].as_str()?, 16).ok()?;
    Some(Place { epoch, offset: told["offset"].as_u64()? })
}
