//! Takes the socket back from hyper after the 101.

use std::io;
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::connection::stream::Stream;
use crate::listen::socket::HttpSocket;
use crate::tls::socket::TlsSocket;

/// Waits for the 101 to be written; gives the stream and what the client sent behind its request. `close` is
/// how long a peer may take to hang up once we have.
pub(crate) async fn take(on_upgrade: OnUpgrade, close: Duration) -> io::Result<(Stream, Vec<u8>)> {
    let upgraded = on_upgrade.await.map_err(io::Error::other)?;
    // Our own listener serves HTTP/1.1 by hyper itself; `axum::serve` wraps the stream once more.
    let upgraded = match upgraded.downcast::<TokioIo<HttpSocket>>() {
        Ok(parts) => {
            let stream = parts.io.into_inner().into_stream();
            return tcp(stream.ok_or(io::ErrorKind::NotConnected)?, &parts.read_buf);
        }
        Err(upgraded) => upgraded,
    };
    let upgraded = match upgraded.downcast::<TokioIo<TlsSocket>>() {
        Ok(parts) => {
            let (stream, tls) = parts.io.into_inner().into_parts().ok_or(io::ErrorKind::NotConnected)?;
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
        Err(upgraded) => pump(upgraded, close),
    }
}

fn tcp(stream: TcpStream, early: &[u8]) -> io::Result<(Stream, Vec<u8>)> {
    Ok((Stream::tcp(stream.into_std()?)?, early.to_vec()))
}

/// A stream that is no socket, such as TLS in somebody's own server: a task carries its bytes to and from one
/// end of a pair, and the worker has the other. The pair's buffers bound what is under way.
fn pump(upgraded: Upgraded, close: Duration) -> io::Result<(Stream, Vec<u8>)> {
    let (near, far) = std::os::unix::net::UnixStream::pair()?;
    far.set_nonblocking(true)?;
    let mut far = tokio::net::UnixStream::from_std(far)?;
    let (held, released) = oneshot::channel();
    tokio::spawn(async move {
        let mut upgraded = TokioIo::new(upgraded);
        // The last words may still be under way when the worker lets go, to a peer that may never take them.
        let let_go = async {
            let _ = released.await;
            tokio::time::sleep(close).await;
        };
        tokio::select! {
            // Either side's end ends the other; there is nobody to tell why.
            _ = tokio::io::copy_bidirectional(&mut upgraded, &mut far) => {}
            () = let_go => {}
        }
    });
    Ok((Stream::pumped(near, held)?, Vec::new()))
}
