//! One connection of the proxy, from its acceptance to its end.

use std::io;

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

use super::pipe::Pipe;
use super::{Accepted, Faults, KERNEL_BUFFER_BYTES, Line};
use crate::rng::Rng;

/// Why a connection ended.
pub(super) enum End {
    /// Both sides have said all, or the line has dropped the rest.
    Closed,
    /// One side was reset, or the line is cut.
    Reset,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Reset
    }
}

pub(super) async fn serve(accepted: Accepted, faults: watch::Receiver<Faults>, seed: u64) {
    let Accepted { number, mut near, upstream, cut } = accepted;
    let mut far = None;
    let pass = async {
        let mut faults = faults;
        let open = faults.wait_for(|faults| !matches!(faults.line, Line::Cut | Line::Blackhole)).await;
        let line = open.map_err(|_| End::Reset)?.line;
        if line != Line::Whole {
            return Err(End::Closed);
        }
        let far = far.insert(socket()?.connect(upstream).await?);
        pass(&mut near, far, &faults, Rng::new(seed.rotate_left(32) ^ number)).await
    };
    let end = tokio::select! {
        end = pass => end.err().unwrap_or(End::Closed),
        _ = cut => End::Reset,
    };
    if matches!(end, End::Reset) {
        // Without it, closing would be an orderly end. It fails only for a socket that is at its end already.
        let _ = near.set_zero_linger();
        let _ = far.map(|far| far.set_zero_linger());
    }
}

async fn pass(
    near: &mut TcpStream,
    far: &mut TcpStream,
    faults: &watch::Receiver<Faults>,
    mut rng: Rng,
) -> Result<(), End> {
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (mut near_read, mut near_write) = near.split();
    let (mut far_read, mut far_write) = far.split();
    let up = Pipe::new(|faults| faults.delay_up, faults.clone(), Rng::new(rng.bits()));
    let down = Pipe::new(|faults| faults.delay_down, faults.clone(), Rng::new(rng.bits()));
    tokio::try_join!(up.run(&mut near_read, &mut far_write), down.run(&mut far_read, &mut near_write))?;
    Ok(())
}

/// A socket with the proxy's buffers.
fn socket() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(KERNEL_BUFFER_BYTES)?;
    socket.set_send_buffer_size(KERNEL_BUFFER_BYTES)?;
    Ok(socket)
}
