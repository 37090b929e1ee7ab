//! What a client hears in one channel.

use std::sync::Arc;

use fanfare_testkit::history::{Operation, Place};
use serde_json::{Value, json};

use crate::Outcome;
use crate::ledger::{Ledger, hash};

/// How the last message of every channel ends.
pub(crate) const LAST: &str = " and no more";

/// One channel of a client.
pub(crate) struct Ear {
    ledger: Arc<Ledger>,
    actor: u32,
    pub(crate) channel: String,
    /// Where the client is; none before it is subscribed.
    pub(crate) place: Option<Place>,
    /// Hashes of everything that came, in order.
    pub(crate) heard: Vec<u64>,
    /// Whether the last message has come.
    pub(crate) is_done: bool,
}

impl Ear {
    pub(crate) fn new(ledger: Arc<Ledger>, actor: u32, channel: String) -> Self {
        Self { ledger, actor, channel, place: None, heard: Vec::new(), is_done: false }
    }

    /// The client's words that bring it into the channel, or back to its place there.
    pub(crate) fn subscribe(&self) -> Value {
        match self.place {
            None => json!({ "type": "subscribe", "channel": self.channel }),
            Some(Place { epoch, offset }) => json!({
                "type": "subscribe",
                "channel": self.channel,
                "recover": { "epoch": format!("{epoch:x}"), "offset": offset },
            }),
        }
    }

    /// A subscription began at a place.
    pub(crate) fn subscribed(&mut self, at: Place, recovered: Option<bool>) -> Outcome<()> {
        let since = self.place;
        if since.is_some() && recovered != Some(true) {
            return Err(format!("{} was at {since:?} of {} and is not recovered", self.actor, self.channel));
        }
        self.ledger.write(
            self.actor,
            Operation::Subscribe { filter: None, since, lossy: false },
            &self.channel,
            |record| {
                record.place = Some(at);
                record.recovered = recovered;
            },
        );
        self.place = since.or(Some(at));
        Ok(())
    }

    /// A message came.
    pub(crate) fn delivered(&mut self, offset: u64, text: &str) -> Outcome<()> {
        let Some(place) = &mut self.place else {
            return Err(format!("{} got {text:?} before it was in {}", self.actor, self.channel));
        };
        place.offset = offset;
        let epoch = place.epoch;
        self.ledger.write(self.actor, Operation::Deliver, &self.channel, |record| {
            record.at(epoch, offset).with(hash(text));
        });
        self.heard.push(hash(text));
        self.is_done |= text.ends_with(LAST);
        Ok(())
    }
}

/// Gives a message of the server to the ear that it is for.
pub(crate) fn hear(ears: &mut [Ear], message: &Value) -> Outcome<()> {
    let odd = || format!("the server says {message}");
    let channel = message["channel"].as_str().ok_or_else(odd)?;
    let ear = ears.iter_mut().find(|ear| ear.channel == channel).ok_or_else(odd)?;
    let offset = message["offset"].as_u64().ok_or_else(odd)?;
    match message["type"].as_str() {
        Some("subscribed") => {
            let epoch = message["epoch"].as_str().and_then(|epoch| u64::from_str_radix(epoch, 16).ok());
            ear.subscribed(Place { epoch: epoch.ok_or_else(odd)?, offset }, message["recovered"].as_bool())
        }
        Some("message") => ear.delivered(offset, message["data"].as_str().ok_or_else(odd)?),
        _ => Err(odd()),
    }
}
