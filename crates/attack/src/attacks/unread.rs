//! Connections of HTTP/2 whose requests never end: those that ask for the largest page on every stream and leave no room for
//! any of it, and those that begin a body on every stream.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Attack, Field, REFUSED_PAUSE, Tally};
use crate::tokens;

/// Connections at most: with a hundred streams each they ask for as much as a crowd does, or begin 128 MB of bodies.
const UNREAD_CONNECTIONS_MAX: usize = 240;
const UNFINISHED_CONNECTIONS_MAX: usize = 20;
const STREAMS: usize = 100;

/// Of a body that never ends: less than a message may have.
const BODY_BYTES: usize = 64_000;

pub(super) async fn run(attack: Attack, field: &Field) {
    let most = match attack {
        Attack::UnreadAnswers => UNREAD_CONNECTIONS_MAX,
        _ => UNFINISHED_CONNECTIONS_MAX,
    };
    for _ in 0..field.scale.crowd.min(most) {
        let field = field.clone();
        tokio::task::spawn_local(async move {
            loop {
                match field.sources.connect_abrupt(field.target(attack)).await {
                    Ok(stream) => {
                        Tally::add(&field.tally.opened, 1);
                        // However it ends, it begins again.
                        let _ = ask(attack, stream, &field).await;
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
async fn ask(attack: Attack, stream: TcpStream, field: &Field) -> io::Result<()> {
    let mut client = h2::client::Builder::new();
    let unread = attack == Attack::UnreadAnswers;
    if unread {
        client.initial_window_size(0);
    }
    let (requests, connection) =
        client.handshake::<_, bytes::Bytes>(stream).await.map_err(io::Error::other)?;
    let driver = tokio::task::spawn_local(connection);
    let server = field.server;
    let path = if unread { String::new() } else { begin_session(&requests, server).await? };
    let mut answers = Vec::new();
    for _ in 0..STREAMS {
        let mut requests = requests.clone().ready().await.map_err(io::Error::other)?;
        let request = match unread {
            true => http::Request::get(format!("http://{server}/openapi.json")),
            false => http::Request::post(format!("http://{server}{path}")),
        };
        let sent = requests.send_request(request.body(()).map_err(io::Error::other)?, unread);
        let (answer, mut body) = sent.map_err(io::Error::other)?;
        if !unread {
            body.send_data(vec![b' '; BODY_BYTES].into(), false).map_err(io::Error::other)?;
            Tally::add(&field.tally.sent_bytes, BODY_BYTES as u64);
        }
        answers.push((answer, body));
    }
    let _ = driver.await;
    drop(answers);
    Ok(())
}

/// Begins a session, and gives the address at which it takes messages.
async fn begin_session(
    requests: &h2::client::SendRequest<bytes::Bytes>,
    server: SocketAddr,
) -> io::Result<String> {
    let token = tokens::path(&tokens::stranger())?;
    let query = token.split_once('?').map_or("", |(_, query)| query);
    let request = http::Request::post(format!("http://{server}/session?{query}")).body(());
    let mut requests = requests.clone().ready().await.map_err(io::Error::other)?;
    let sent = requests.send_request(request.map_err(io::Error::other)?, true);
    let (answer, _) = sent.map_err(io::Error::other)?;
    let mut body = answer.await.map_err(io::Error::other)?.into_body();
    let mut text = Vec::new();
    while let Some(part) = body.data().await {
        text.extend(part.map_err(io::Error::other)?);
    }
    let begun: serde_json::Value = serde_json::from_slice(&text)?;
    let session = begun["session"].as_str().ok_or(io::ErrorKind::InvalidData)?;
    Ok(format!("/send?session={session}"))
}
