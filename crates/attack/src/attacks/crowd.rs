//! Many connections, each of which does little or nothing.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Attack, Field, REFUSED_PAUSE, Tally};
use crate::line::{self, Line, MASK};
use crate::tokens;

/// Just below what the head of a request may have.
const LARGE_HEAD_BYTES: usize = 30 * 1024;

/// Just below what a message may have.
const LARGE_MESSAGE_BYTES: usize = 60 * 1024;

/// How a client of TLS begins: a record of 512 bytes with a hello of 508, of which the version and the random follow.
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03a random that is none, thirty-two";

/// Connections that are being made at a time: what the server's backlog holds is not what is tried here.
const DIALLING_MAX: usize = 500;

pub(super) async fn run(attack: Attack, field: &Field) {
    let dialling = std::rc::Rc::new(tokio::sync::Semaphore::new(DIALLING_MAX));
    for _ in 0..field.scale.crowd {
        let (field, dialling) = (field.clone(), dialling.clone());
        tokio::task::spawn_local(async move {
            loop {
                let permit = dialling.acquire().await;
                let stream = match begin(attack, &field).await {
                    Ok(stream) => stream,
                    Err(_) => {
                        Tally::add(&field.tally.refused, 1);
                        sleep(REFUSED_PAUSE).await;
                        continue;
                    }
                };
                drop(permit);
                // However it ends, it begins again.
                let _ = stay(attack, stream, &field).await;
                Tally::add(&field.tally.cut, 1);
            }
        });
    }
    std::future::pending().await
}

/// Makes a connection and sends what comes at once.
async fn begin(attack: Attack, field: &Field) -> io::Result<TcpStream> {
    let mut stream = field.sources.connect_abrupt(field.target(attack)).await?;
    Tally::add(&field.tally.opened, 1);
    let sent = match attack {
        Attack::LargeHeads => {
            let mut head = b"GET /ws HTTP/1.1\r\nHost: localhost\r\n".to_vec();
            while head.len() < LARGE_HEAD_BYTES {
                head.extend(b"X-Padding: ");
                head.extend([b'x'; 500]);
                head.extend(b"\r\n");
            }
            head
        }
        Attack::NeverAuthenticate => {
            stream = Line::shake(stream, field.server, "/ws").await?.into_stream();
            Vec::new()
        }
        Attack::UnfinishedMessages => {
            stream =
                Line::shake(stream, field.server, &tokens::path(&tokens::stranger())?).await?.into_stream();
            let mut frame = vec![0x81, 0x80 | 126];
            frame.extend((LARGE_MESSAGE_BYTES as u16 + 1).to_be_bytes());
            frame.extend(MASK);
            // Masked blanks: valid as far as it goes.
            frame.extend((0..LARGE_MESSAGE_BYTES).map(|index| b' ' ^ MASK[index % 4]));
            frame
        }
        _ => Vec::new(),
    };
    stream.write_all(&sent).await?;
    Tally::add(&field.tally.sent_bytes, sent.len() as u64);
    Ok(stream)
}

/// Stays until the server has had enough.
async fn stay(attack: Attack, mut stream: TcpStream, field: &Field) -> io::Result<()> {
    let (mut reader, mut writer) = stream.split();
    let ended = async {
        let mut bytes = [0; 1024];
        while reader.read(&mut bytes).await? > 0 {}
        Ok(())
    };
    let dribbling = async {
        let request = line::request(field.server, "/ws");
        let slowly: &[u8] = match attack {
            Attack::SlowHandshakes => request.head(),
            Attack::SlowTlsHandshakes => CLIENT_HELLO,
            _ => &[],
        };
        for byte in slowly {
            writer.write_all(&[*byte]).await?;
            Tally::add(&field.tally.sent_bytes, 1);
            sleep(Duration::from_secs(1)).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        ended = ended => ended,
        failed = dribbling => failed,
    }
}
