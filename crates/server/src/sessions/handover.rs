//! Responses that a worker writes. Our own listeners take the socket back from hyper for it, so that such a connection
//! costs what a WebSocket does; everywhere else (HTTP/2, somebody's own server) a body carries the bytes of a socket
//! pair.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONNECTION, DATE};
use http::{HeaderValue, Response};
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use crate::connection::stream::Stream;

/// What the worker is given: the stream, and what has to be written to it first.
type Place = Box<dyn FnOnce(Stream, Vec<u8>) + Send>;

/// A response's stream, not given to anybody yet. In the response's extensions for our own listeners, and in its body
/// for all others: whoever comes first.
#[derive(Clone)]
pub(crate) struct Handover(Arc<Mutex<Option<Place>>>);

impl Handover {
    /// A response whose body is whatever the worker writes.
    pub(crate) fn response(place: impl FnOnce(Stream, Vec<u8>) + Send + 'static) -> Response<Body> {
        let handover = Self(Arc::new(Mutex::new(Some(Box::new(place)))));
        let body = HandedBody { handover: handover.clone(), far: None };
        // An error of the pair ends the body, as the end of the stream would.
        let mut response = Response::new(Body::new(body.map_err(axum::Error::new)));
        response.extensions_mut().insert(handover);
        response
    }

    fn take(&self) -> Option<Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Gives the worker one end of a pair, and this side the other.
    fn pump(&self) -> io::Result<Option<UnixStream>> {
        let Some(place) = self.take() else { return Ok(None) };
        let (near, far) = std::os::unix::net::UnixStream::pair()?;
        far.set_nonblocking(true)?;
        // The body holds the other end itself: when it is dropped, the worker sees the pair's end.
        let (held, _released) = oneshot::channel();
        place(Stream::pumped(near, held)?, Vec::new());
        UnixStream::from_std(far).map(Some)
    }
}

/// A response that our own listener gives up to a worker.
pub(crate) struct Handed {
    handover: Handover,
    head: Vec<u8>,
}

impl Handed {
    pub(crate) fn new<B>(handover: Handover, response: &Response<B>) -> Self {
        Self { handover, head: head(response) }
    }

    /// Gives the worker the socket that the response was to be written to; it writes the head as well.
    pub(crate) fn give(self, stream: Option<io::Result<Stream>>) {
        // Without a stream the client has gone, or is about to.
        if let (Some(place), Some(Ok(stream))) = (self.handover.take(), stream) {
            place(stream, self.head);
        }
    }
}

/// The head of a response as HTTP/1.1 has it. The connection ends with the body.
fn head<B>(response: &Response<B>) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(format!("HTTP/1.1 {}\r\n", response.status()).as_bytes());
    let date = httpdate::fmt_http_date(SystemTime::now());
    let date = HeaderValue::from_str(&date).ok();
    let close = HeaderValue::from_static("close");
    let own = [(&DATE, date.as_ref()), (&CONNECTION, Some(&close))];
    let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (name, value) in response.headers().iter().filter(|(name, _)| **name != CONNECTION).chain(own) {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

struct HandedBody {
    handover: Handover,
    far: Option<UnixStream>,
}

/// What one frame of the body carries at most.
const FRAME_BYTES: usize = 16 * 1024;

impl hyper::body::Body for HandedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.far.is_none() {
            match self.handover.pump() {
                Ok(Some(far)) => self.far = Some(far),
                Ok(None) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        let Some(far) = &mut self.far else { return Poll::Ready(None) };
        let mut bytes = [0; FRAME_BYTES];
        let mut buffer = ReadBuf::new(&mut bytes);
        ready!(Pin::new(far).poll_read(context, &mut buffer))?;
        match buffer.filled() {
            [] => Poll::Ready(None),
            filled => Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(filled))))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_its_fields_and_ends_the_connection() {
        let mut response = Response::new(());
        response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
        response.headers_mut().insert("connection", HeaderValue::from_static("keep-alive"));
        let head = String::from_utf8(head(&response)).unwrap();
        let lines: Vec<&str> = head.split("\r\n").collect();
        assert_eq!(lines[..2], ["HTTP/1.1 200 OK", "content-type: text/event-stream"]);
        assert!(lines[2].starts_with("date: "), "{head}");
        assert_eq!(lines[3..], ["connection: close", "", ""]);
    }
}
