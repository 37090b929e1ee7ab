//! The binary when it is told to stop.

use serde_json::json;

use super::client::{Carried, Down, Form, Session, Transport, request};
use super::support::process::Process;
use super::support::within;

#[tokio::test]
async fn a_drain_tells_the_clients_of_every_transport() {
    let settings = [("FANFARE_DEADLINES_DRAIN", "500ms")];
    let mut server = Process::start(&settings, 1024).await;
    let mut carried = Vec::new();
    for transport in Transport::ALL.into_iter().cycle().take(12) {
        let session = Session::begin(server.address, "").await;
        let mut one = session.carry(transport, 0).await;
        session.say(json!({"type": "ping"})).await;
        one.expect("pong").await;
        carried.push((transport, one));
    }
    let mut listeners = Vec::new();
    for form in [Form::Events, Form::Lines] {
        let mut down = Down::open(server.address, form, "channels=a", "").await.ok().unwrap();
        assert_eq!(down.next().await.unwrap().data["type"], "subscribed");
        listeners.push(Carried::Down(down));
    }
    let _waits = Session::begin(server.address, "").await;
    let ends = carried
        .into_iter()
        .map(|(transport, mut carried)| tokio::spawn(async move { (transport, carried.closed().await) }));
    let ends: Vec<_> = ends.collect();
    let told = listeners.into_iter().map(|mut down| tokio::spawn(async move { down.closed().await }));
    let told: Vec<_> = told.collect();
    server.terminate();
    let refused = async {
        loop {
            let answer = request(server.address, "POST /session", "", b"").await;
            if answer.status != 201 {
                return answer;
            }
        }
    };
    let answer = within("the server to take nobody", refused).await.unwrap();
    assert_eq!(answer.summary(), "HTTP 503 draining");
    for end in ends {
        let (transport, code) = within("everyone to be told", end).await.unwrap().unwrap();
        assert_eq!(code, 1012, "{transport:?}");
    }
    for end in told {
        assert_eq!(within("listeners to be told", end).await.unwrap().unwrap(), 1012);
    }
    assert_eq!(server.ended().await.code(), Some(0));
}
