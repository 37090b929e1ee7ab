//! What a connection of HTTP/1.1 waits for, and how long it may: the head of a request that has begun, or a next request.
//!
//! Clients keep connections for their next request, and proxies keep many. One that waits is closed when its time is over,
//! or earlier, oldest first, where the places of the listener or of its address are taken and somebody else needs one.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{HttpDeadlines, Place};
use crate::network::rates::AddressKey;

/// The connections of one listener that wait for their next request, in the order in which they began to wait.
#[derive(Default)]
pub(super) struct IdleConnections {
    idle: Mutex<BTreeMap<u64, Arc<Activity>>>,
    serials: Mutex<u64>,
    /// How many newcomers wait for a place. While there is one, nobody begins to wait for a next request.
    newcomers: AtomicUsize,
}

/// A newcomer that waits for a place among all connections of the listener.
pub(super) struct Newcomer<'a>(&'a IdleConnections);

/// What one connection waits for.
pub(super) struct Activity {
    idle: Arc<IdleConnections>,
    address: AddressKey,
    deadlines: HttpDeadlines,
    state: Mutex<State>,
}

/// A connection for as long as it speaks HTTP. Dropping it gives its place back.
pub(super) struct Connection(pub(super) Arc<Activity>);

struct State {
    phase: Phase,
    /// Given back as soon as it is known that the connection ends.
    place: Option<Place>,
    /// Wakes who reads the connection.
    waker: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// For the rest of a request's head, until then.
    Head(Instant),
    /// For nothing: a request is being answered.
    Answering,
    /// For the next request, until then.
    Idle { serial: u64, until: Instant },
    /// The head did not come in time.
    Late,
    /// Nothing more is read.
    Over,
}

/// A request that is being answered. When it is dropped, the connection waits for the next one.
pub(super) struct Answering(Arc<Activity>);

/// The body of an answer, until it is written.
pub(super) struct Answer<B> {
    body: B,
    _answering: Answering,
}

/// A connection whose reads end when it has waited for too long.
pub(crate) struct Paced<S> {
    inner: S,
    activity: Arc<Activity>,
    /// Runs while the connection waits.
    timer: Option<Pin<Box<Sleep>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IdleConnections {
    /// Ends the wait of the connection that has waited longest, of this address if one is named. Its place is free at
    /// once.
    pub(super) fn make_room(&self, address: Option<IpAddr>) -> bool {
        let address = address.map(AddressKey::of);
        let oldest = {
            let idle = lock(&self.idle);
            let mut fitting = idle.values().filter(|it| address.is_none_or(|address| it.address == address));
            fitting.next().cloned()
        };
        oldest.is_some_and(|oldest| oldest.end_wait())
    }

    /// Makes room for one more connection, now or as soon as one would begin to wait. Dropping the newcomer ends that.
    pub(super) fn newcomer(&self) -> Newcomer<'_> {
        self.newcomers.fetch_add(1, Ordering::SeqCst);
        self.make_room(None);
        Newcomer(self)
    }

    fn next_serial(&self) -> u64 {
        let mut serials = lock(&self.serials);
        *serials += 1;
        *serials
    }
}

impl Drop for Newcomer<'_> {
    fn drop(&mut self) {
        self.0.newcomers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Activity {
    /// A connection that has just come: its first head is due.
    pub(super) fn begin(
        idle: Arc<IdleConnections>,
        address: IpAddr,
        deadlines: HttpDeadlines,
        place: Place,
    ) -> Connection {
        let phase = Phase::Head(Instant::now() + deadlines.handshake);
        let state = Mutex::new(State { phase, place: Some(place), waker: None });
        Connection(Arc::new(Self { idle, address: AddressKey::of(address), deadlines, state }))
    }

    /// Notes that a head has come whole.
    pub(super) fn answer(self: &Arc<Self>) -> Answering {
        // One that was sent together with the last one is answered also where the connection then has to go.
        if lock(&self.state).phase != Phase::Over {
            self.leave(Phase::Answering);
        }
        Answering(self.clone())
    }

    /// Whether a head did not come in time.
    pub(super) fn is_late(&self) -> bool {
        lock(&self.state).phase == Phase::Late
    }

    /// Notes that nothing more is read, and gives the place back.
    fn end(&self) {
        if !self.is_late() {
            self.leave(Phase::Over);
        }
        lock(&self.state).place = None;
    }

    /// Goes on to another phase, and out of the list of those that wait.
    fn leave(&self, next: Phase) {
        let before = std::mem::replace(&mut lock(&self.state).phase, next);
        if let Phase::Idle { serial, .. } = before {
            lock(&self.idle.idle).remove(&serial);
        }
    }

    fn begin_wait(self: &Arc<Self>) {
        if lock(&self.state).phase != Phase::Answering {
            return;
        }
        let serial = self.idle.next_serial();
        // Listed first: who is not in the list could not be asked to go.
        lock(&self.idle.idle).insert(serial, self.clone());
        let until = Instant::now() + self.deadlines.keep_alive;
        let waker = {
            let mut state = lock(&self.state);
            state.phase = Phase::Idle { serial, until };
            state.waker.take()
        };
        // Who reads has to wait for the new deadline too.
        waker.into_iter().for_each(Waker::wake);
        if self.idle.newcomers.load(Ordering::SeqCst) > 0 {
            self.end_wait();
        }
    }

    /// Ends the wait for a next request, if this connection waits for one.
    fn end_wait(&self) -> bool {
        let mut state = lock(&self.state);
        let Phase::Idle { serial, .. } = state.phase else { return false };
        state.phase = Phase::Over;
        state.place = None;
        let waker = state.waker.take();
        drop(state);
        lock(&self.idle.idle).remove(&serial);
        waker.into_iter().for_each(Waker::wake);
        true
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Answering {
    /// Goes on until the body is written, or given up.
    pub(super) fn until_written<B>(self, body: B) -> Answer<B> {
        Answer { body, _answering: self }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.begin_wait();
    }
}

impl<S> Paced<S> {
    pub(super) fn new(inner: S, activity: Arc<Activity>) -> Self {
        Self { inner, activity, timer: None }
    }

    /// The connection without its deadlines, for who takes it over.
    pub(crate) fn into_inner(self) -> S {
        self.inner
    }

    /// What the connection still waits for, and until when.
    fn waits(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (phase, until) = {
            let activity = self.activity.clone();
            let mut state = lock(&activity.state);
            state.waker = Some(context.waker().clone());
            let until = match state.phase {
                Phase::Head(until) | Phase::Idle { until, .. } => until,
                Phase::Answering => {
                    self.timer = None;
                    return Poll::Pending;
                }
                Phase::Late | Phase::Over => return Poll::Ready(Ok(())),
            };
            (state.phase, until)
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        if timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        match phase {
            Phase::Head(_) => {
                self.activity.leave(Phase::Late);
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            // The end of what is read: the connection is closed without a word, as its client would close it.
            _ => {
                self.activity.end();
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.inner).poll_read(context, buffer) {
            Poll::Pending => self.waits(context),
            Poll::Ready(Ok(())) if buffer.filled().len() > before => {
                let activity = &self.activity;
                let phase = lock(&activity.state).phase;
                match phase {
                    Phase::Idle { .. } => {
                        activity.leave(Phase::Head(Instant::now() + activity.deadlines.handshake));
                    }
                    // The place is given to somebody else already, so this request is not answered. Its client knows that
                    // connections that wait may end, and asks again on another.
                    Phase::Over => buffer.set_filled(before),
                    _ => {}
                }
                Poll::Ready(Ok(()))
            }
            ended => ended,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
