//! The same questions in the plain dialects that name their channels: what they have a word for is to join and to publish.

use serde_json::{Value, json};

use super::transports::Session;

/// A dialect's words.
pub(crate) struct Words {
    pub(crate) dialect: &'static str,
    join: fn(&str) -> Value,
    publish: fn(&str) -> Value,
    leave: fn(&str) -> Value,
    /// What is answered at once, behind any refusal.
    ping: &'static str,
    pong: &'static str,
    joined: &'static str,
    refusal: fn(&Value) -> &Value,
    denied: &'static str,
}

pub(crate) const ALL: [Words; 3] = [
    Words {
        dialect: "rooms",
        join: |room| json!({"type": "join", "room": room}),
        publish: |room| json!({"type": "message", "room": room, "content": "x"}),
        leave: |room| json!({"type": "leave", "room": room}),
        ping: r#"{"type":"ping"}"#,
        pong: "pong",
        joined: "joined",
        refusal: |error| &error["code"],
        denied: "permission_denied",
    },
    Words {
        dialect: "envelope",
        join: |room| json!({"type": "join", "payload": room}),
        publish: |room| json!({"type": "broadcast", "payload": {"room": room, "data": "x"}}),
        leave: |room| json!({"type": "leave", "payload": room}),
        ping: r#"{"type":"ping"}"#,
        pong: "pong",
        joined: "room:joined",
        refusal: |error| &error["payload"]["code"],
        denied: "permission_denied",
    },
    Words {
        dialect: "topics",
        join: |room| json!({"type": "join", "roomId": room}),
        publish: |room| json!({"type": "message", "roomId": room, "content": "x"}),
        leave: |room| json!({"type": "leave", "roomId": room}),
        ping: r#"{"type":"heartbeat"}"#,
        pong: "heartbeat_ack",
        joined: "user_joined",
        refusal: |error| &error["code"],
        denied: "FORBIDDEN",
    },
];

impl Words {
    /// Says something; whether it was not refused, and the types of what else came until the ping behind it was answered.
    async fn say(&self, session: &mut Session, message: &Value) -> (bool, Vec<String>) {
        session.post(&format!("{message}\n{}\n", self.ping)).await;
        let (mut allowed, mut kinds) = (true, Vec::new());
        loop {
            for heard in session.hear().await {
                match heard["type"].as_str().unwrap() {
                    pong if pong == self.pong => return (allowed, kinds),
                    "error" => {
                        assert_eq!((self.refusal)(&heard), self.denied, "{message}: {heard}");
                        allowed = false;
                    }
                    other => kinds.push(other.to_owned()),
                }
            }
        }
    }

    async fn until(&self, session: &mut Session, mut kinds: Vec<String>, wanted: &str) {
        while !kinds.iter().any(|kind| kind == wanted) {
            kinds =
                session.hear().await.iter().map(|heard| heard["type"].as_str().unwrap().to_owned()).collect();
        }
    }

    pub(crate) async fn may_publish(&self, session: &mut Session, channel: &str) -> bool {
        self.say(session, &(self.publish)(channel)).await.0
    }

    /// Whether it may join; then it has.
    pub(crate) async fn may_join(&self, session: &mut Session, channel: &str) -> bool {
        let (allowed, kinds) = self.say(session, &(self.join)(channel)).await;
        if allowed {
            self.until(session, kinds, self.joined).await;
        }
        allowed
    }

    pub(crate) async fn leave(&self, session: &mut Session, channel: &str) {
        session.post(&(self.leave)(channel).to_string()).await;
    }
}
