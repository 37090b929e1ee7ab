//! A session whose client does not come back for what waits, while its messages still go up.

use std::time::Duration;

use serde_json::json;

use crate::backend::Backend;
use crate::line::{Line, Stop};
use crate::process::Process;
use crate::session::{Session, attempts};

const ROOM: &str = "room.0";
const OWN: &str = "own.0";

/// A small bound, so that few messages fill the outbox.
const OUTBOX_BYTES_MAX: &str = "131072";

/// Such a session is closed when its outbox is full. Until the end of its last words it said of what was posted that it
/// was taken, and took nothing.
#[tokio::test]
async fn a_session_that_is_closing_takes_nothing_and_says_so() {
    let server = Process::start(&[("FANFARE_LIMITS_OUTBOX_BYTES_MAX", OUTBOX_BYTES_MAX)], 1_000).await;
    let backend = Backend { address: server.address, key: server.api_key() };
    let (mut up, mut publisher) = (Line::new(server.address), Line::new(server.address));
    let words = [json!({ "type": "subscribe", "channel": ROOM })];
    let session = Session::begin(&mut up, &words, &mut attempts(Duration::from_millis(1))).await.unwrap();
    let (mut published, mut taken) = (0, 0);
    let refused = loop {
        let text = format!("{published:16000}");
        assert!(backend.publish(&mut publisher, ROOM, &text).await.is_ok());
        published += 1;
        // Not more than a client may say at once: what is refused for its rate is another story.
        assert!(published < 20, "the session takes ever more: {taken}");
        let own = json!({ "type": "message", "channel": OWN, "data": taken });
        match session.post(&mut up, taken + 2, &[own]).await {
            Ok(_) => taken += 1,
            // It understands nothing while much waits for its client; one batch waits with it.
            Err(Stop::Busy) => {}
            Err(stop) => break stop,
        }
    };
    assert!(matches!(refused, Stop::Lost), "{refused}");
    let understood = backend.top(OWN).await.unwrap();
    assert!(understood == taken || understood + 1 == taken, "{understood} of {taken}");
}
