//! A client in the same room as the one that misbehaves. It must not notice: everything published reaches
//! it, at once and in order.

use serde_json::json;

use super::Outcome;
use super::client::Client;
use super::node::TestNode;

/// The member of a message's data that counts what a neighbour is to get.
pub(crate) const COUNT: &str = "count";

pub(crate) struct Neighbour {
    client: Client,
    room: String,
    count: u64,
}

impl Neighbour {
    pub(crate) async fn move_in(node: &TestNode, room: &str) -> Outcome<Self> {
        let mut client = Client::try_connect(node.address, "/ws").await.map_err(|error| error.to_string())?;
        client.send(&json!({"type": "subscribe", "channel": room}));
        let event = client.try_event().await?;
        if event["type"] != "subscribed" {
            return Err(format!("the neighbour cannot move in: {event}"));
        }
        Ok(Self { client, room: room.to_owned(), count: 0 })
    }

    /// Publishes to the room and sees it arrive; gives what others had published before it.
    pub(crate) async fn unmoved(&mut self, node: &TestNode) -> Outcome<Vec<serde_json::Value>> {
        self.count += 1;
        node.publish(&self.room, &json!({COUNT: self.count})).await;
        let mut others = Vec::new();
        loop {
            let event = self.client.try_event().await.map_err(|error| format!("the neighbour: {error}"))?;
            match event["data"][COUNT].as_u64() {
                Some(count) if count == self.count => return Ok(others),
                None if event["type"] == "message" => others.push(event["data"].clone()),
                _ => return Err(format!("the neighbour awaits {} and gets {event}", self.count)),
            }
        }
    }
}
