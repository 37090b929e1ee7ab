//! Messages that go out as the backend wrote them.

use futures_util::StreamExt as _;
use serde_json::json;

use crate::support::{Server, start};

/// What a backend sends, with blanks, and what clients are to get: order, numbers and escapes as they were written.
const SENT: &str = "{ \"type\": \"price\",\n \"n\": 1.50, \"a\\\" b\": \"\\u00e9 \\\\\", \"big\":123456789012345678901234567890 }";
const WANTED: &str =
    "{\"type\":\"price\",\"n\":1.50,\"a\\\" b\":\"\\u00e9 \\\\\",\"big\":123456789012345678901234567890}";

/// Hand-written clients look for types of their own application. What the backend sent came wrapped in the dialect's form.
#[tokio::test]
async fn what_the_backend_sends_verbatim_is_the_whole_message_in_every_dialect() {
    let server = start().await;
    let mut clients = Vec::new();
    for dialect in ["native", "native.lines", "rooms", "envelope", "topics", "chat", "raw", "native.protobuf"]
    {
        let path = format!("/ws/{dialect}?user=ann&room=lobby");
        clients.push((dialect, server.connect_at(&path).await));
    }
    super::messages::settle(&server, 8).await;
    for (operation, body) in [
        ("send", format!("{{\"user\":\"ann\",\"verbatim\":true,\"data\":{SENT}}}")),
        ("broadcast", format!("{{\"verbatim\":true,\"message\":{SENT}}}")),
    ] {
        let answer = server.post_raw(operation, body).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        for (dialect, client) in &mut clients {
            let bytes = client.bytes_with("price").await;
            let heard = if *dialect == "native.protobuf" {
                // Field 21, a string: its key in two bytes, its length in one.
                assert_eq!(bytes[..3], [0xaa, 0x01, WANTED.len() as u8]);
                &bytes[3..]
            } else {
                &bytes[..]
            };
            assert_eq!(String::from_utf8_lossy(heard), WANTED, "{operation} to {dialect}");
        }
    }
}

#[tokio::test]
async fn what_is_sent_verbatim_is_one_event_of_a_stream() {
    let server = start().await;
    let request = server.request(reqwest::Method::GET, "/sse?channels=lobby&user=ann&dialect=rooms");
    let mut stream = request.send().await.unwrap().bytes_stream();
    super::messages::settle(&server, 1).await;
    server.post_raw("send", format!("{{\"user\":\"ann\",\"verbatim\":true,\"data\":{SENT}}}")).await;
    let (mut text, wanted) = (String::new(), format!("data: {WANTED}\n"));
    while !text.contains(&wanted) {
        let part = tokio::time::timeout(crate::support::PATIENCE, stream.next()).await;
        text +=
            &String::from_utf8_lossy(&part.expect("nothing more came").expect("the stream ended").unwrap());
    }
}

#[tokio::test]
async fn only_an_object_to_people_in_nobodys_name_goes_out_verbatim() {
    let server: Server = start().await;
    for (operation, body, field) in [
        ("send", json!({"user": "ann", "verbatim": true, "data": "text"}), "data"),
        ("send", json!({"user": "ann", "verbatim": true, "data": [{}]}), "data"),
        ("send", json!({"user": "ann", "verbatim": true, "binary": "AQ=="}), "data"),
        ("send", json!({"user": "ann", "verbatim": true, "data": {}, "from": "bob"}), "from"),
        ("broadcast", json!({"verbatim": true, "message": null}), "message"),
        ("broadcast", json!({"verbatim": true, "message": {}, "room": "lobby"}), "verbatim"),
    ] {
        let answer = server.post(operation, &body).await;
        let error = answer.json()["error"].clone();
        assert_eq!(
            (answer.status.as_u16(), &error["field"]),
            (400, &json!(field)),
            "{body}: {}",
            answer.text
        );
        assert_eq!(error["code"], "invalid_field", "{body}");
    }
    server.done("send", json!({"user": "ann", "verbatim": false, "data": "text", "from": "bob"})).await;
}
