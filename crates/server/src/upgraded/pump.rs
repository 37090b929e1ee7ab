//! A stream that is no socket, such as one of HTTP/2, or TLS in somebody's own server: a task carries its bytes to and
//! from one end of a pair, and the worker has the other. The pair's buffers bound what is under way.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use crate::connection::stream::Stream;
use crate::listen::streams::Stay;

/// What is carried at a time. It is held only while it is carried: a connection on which nothing happens has no buffer.
const CHUNK_BYTES: usize = 8 * 1024;

type Peer = TokioIo<Upgraded>;

/// Begins to carry, and gives the worker's end.
pub(super) fn pump(upgraded: Upgraded, close: Duration, stay: Option<Stay>) -> io::Result<Stream> {
    let (near, far) = std::os::unix::net::UnixStream::pair()?;
    far.set_nonblocking(true)?;
    let (from_worker, to_worker) = tokio::net::UnixStream::from_std(far)?.into_split();
    let (held, released) = oneshot::channel();
    tokio::spawn(async move {
        let (from_peer, to_peer) = tokio::io::split(TokioIo::new(upgraded));
        // The last words may still be under way when the worker lets go, to a peer that may never take them.
        let let_go = async {
            let _ = released.await;
            tokio::time::sleep(close).await;
        };
        tokio::select! {
            // A failure of either side ends both; there is nobody to tell why.
            _ = async { tokio::try_join!(inward(from_peer, to_worker), outward(from_worker, to_peer)) } => {}
            () = let_go => {}
        }
        drop(stay);
    });
    Stream::pumped(near, held)
}

/// From the peer to the worker. Dropping the worker's half tells it that the peer has ended its side.
async fn inward(mut peer: ReadHalf<Peer>, mut worker: OwnedWriteHalf) -> io::Result<()> {
    loop {
        let bytes = next(&mut peer).await?;
        if bytes.is_empty() {
            return Ok(());
        }
        worker.write_all(&bytes).await?;
    }
}

/// From the worker to the peer, whose side is ended when the worker ends its own.
async fn outward(worker: OwnedReadHalf, mut peer: WriteHalf<Peer>) -> io::Result<()> {
    loop {
        worker.readable().await?;
        let mut bytes = Vec::with_capacity(CHUNK_BYTES);
        match worker.try_read_buf(&mut bytes) {
            Ok(0) => return peer.shutdown().await,
            Ok(_) => {
                peer.write_all(&bytes).await?;
                peer.flush().await?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// What the peer says next; nothing at its end.
async fn next(peer: &mut ReadHalf<Peer>) -> io::Result<Vec<u8>> {
    poll_fn(|context| {
        let mut space = [MaybeUninit::uninit(); CHUNK_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut *peer).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().to_vec()))
    })
    .await
}
