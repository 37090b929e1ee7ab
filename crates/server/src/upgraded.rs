//! Takes the socket back from hyper after the 101.
//!
//! - `pump`: for what is no socket

mod pump;

use std::io;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;

use crate::connection::stream::Stream;
use crate::listen::socket::HttpSocket;
use crate::listen::streams::Stay;
use crate::listen::waiting::Paced;
use crate::tls::socket::TlsSocket;

/// Waits for the 101 to be written; gives the stream and what the client sent behind its request. `close` is
/// how long a peer may take to hang up once we have, `stay` what a stream of HTTP/2 holds as long as it is there.
pub(crate) async fn take(
    on_upgrade: OnUpgrade,
    close: Duration,
    stay: Option<Stay>,
) -> io::Result<(Stream, Vec<u8>)> {
    let upgraded = on_upgrade.await.map_err(io::Error::other)?;
    // Our own listener serves HTTP/1.1 by hyper itself; `axum::serve` wraps the stream once more.
    let upgraded = match upgraded.downcast::<TokioIo<Paced<HttpSocket>>>() {
        Ok(parts) => {
            let stream = parts.io.into_inner().into_inner().into_stream();
            return tcp(stream.ok_or(io::ErrorKind::NotConnected)?, &parts.read_buf);
        }
        Err(upgraded) => upgraded,
    };
    let upgraded = match upgraded.downcast::<TokioIo<Paced<TlsSocket>>>() {
        Ok(parts) => {
            let (stream, tls) =
                parts.io.into_inner().into_inner().into_parts().ok_or(io::ErrorKind::NotConnected)?;
            return Ok((Stream::tls(stream.into_std()?, tls)?, parts.read_buf.to_vec()));
        }
        Err(upgraded) => upgraded,
    };
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => return tcp(parts.io.into_inner(), &parts.read_buf),
        Err(upgraded) => upgraded,
    };
    match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => tcp(parts.io.into_inner(), &parts.read_buf),
        Err(upgraded) => Ok((pump::pump(upgraded, close, stay)?, Vec::new())),
    }
}

fn tcp(stream: TcpStream, early: &[u8]) -> io::Result<(Stream, Vec<u8>)> {
    Ok((Stream::tcp(stream.into_std()?)?, early.to_vec()))
}
