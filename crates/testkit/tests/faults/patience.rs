//! Lines that carry everything, but not at once.

use std::time::{Duration, Instant};

use fanfare_testkit::faults::{KERNEL_BUFFER_BYTES, Line, QUEUE_BYTES_MAX};
use fanfare_testkit::rng::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::support::{Talker, line, numbered, within};

#[tokio::test]
async fn each_direction_has_its_delay() {
    let (_echo, proxy) = line(1).await;
    let mut talker = Talker::connect(proxy.address()).await;
    for (up, down) in [(50, 0), (0, 50), (30, 40), (1, 1)] {
        let (up, down) = (Duration::from_millis(up), Duration::from_millis(down));
        proxy.delay(up, down);
        let begun = Instant::now();
        talker.asks(b"how long?").await;
        assert!(begun.elapsed() >= up + down, "{:?}", begun.elapsed());
    }
    // What waits is delayed by what is in force, not by what was.
    proxy.delay(Duration::from_secs(3600), Duration::ZERO);
    talker.say(b"in an hour").await;
    proxy.heal().unwrap();
    talker.hears(b"in an hour").await;
}

#[tokio::test]
async fn what_the_upstream_hears_is_not_late_when_only_its_answers_are() {
    let (echo, proxy) = line(2).await;
    let mut talker = Talker::connect(proxy.address()).await;
    proxy.delay(Duration::ZERO, Duration::from_secs(3600));
    talker.say(b"hello").await;
    echo.hears(5).await;
    talker.has_heard_nothing();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_reordered_while_delays_and_rates_change() {
    let (_echo, proxy) = line(3).await;
    let said = numbered(250_000);
    let mut talker = Talker::connect(proxy.address()).await;
    let (mut read, mut write) = talker.0.split();
    let mut rng = Rng::new(3);
    let saying = async {
        let mut rest = &said[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at((1 + rng.below(5000)).min(rest.len()));
            write.write_all(now).await.unwrap();
            rest = later;
        }
        write.shutdown().await.unwrap();
    };
    let hearing = async {
        let mut heard = Vec::new();
        let mut rng = Rng::new(4);
        while read.read_buf(&mut heard).await.unwrap() > 0 {
            match rng.below(8) {
                0 => proxy.heal().unwrap(),
                1 => proxy.slow(1_000_000 + rng.below(50_000_000) as u32),
                2 => {
                    proxy.set_line(Line::Blackhole).unwrap();
                    proxy.set_line(Line::Whole).unwrap();
                }
                _ => {
                    let mut delay = || Duration::from_micros(rng.below(4000) as u64);
                    proxy.delay(delay(), delay());
                }
            }
        }
        assert!(heard == said, "{} of {} bytes", heard.len(), said.len());
    };
    within("a megabyte", async { tokio::join!(saying, hearing) }).await;
}

#[tokio::test]
async fn a_slow_line_keeps_its_rate() {
    const RATE: u32 = 200_000;
    let (_echo, proxy) = line(4).await;
    let mut talker = Talker::connect(proxy.address()).await;
    proxy.slow(RATE);
    let said = numbered(RATE as usize / 16);
    let begun = Instant::now();
    talker.asks(&said).await;
    let ideal = Duration::from_secs_f64(said.len() as f64 / f64::from(RATE));
    assert!(begun.elapsed() >= ideal * 9 / 10, "{:?} for {ideal:?}", begun.elapsed());
    // One byte a second, and the first at once.
    proxy.slow(1);
    talker.say(b"ab").await;
    talker.hears(b"a").await;
    talker.has_heard_nothing();
    proxy.slow(RATE);
    talker.hears(b"b").await;
}

/// How much a writer that never tires gets rid of until nothing moves.
async fn written_until_stuck(address: std::net::SocketAddr) -> usize {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(KERNEL_BUFFER_BYTES).unwrap();
    let stream = socket.connect(address).await.unwrap();
    let (bytes, mut written) = (vec![7; 64 * 1024], 0);
    // The time is that of a whole test below for every byte of progress; a writer that is not stopped shows by amount.
    while timeout(Duration::from_millis(300), stream.writable()).await.is_ok() && written < 64 << 20 {
        written += stream.try_write(&bytes).unwrap_or(0);
    }
    written
}

#[tokio::test]
async fn a_fast_writer_is_stopped_by_who_does_not_take() {
    // The writer's own buffer, the proxy's on both sides and its queue, and a little of what the line carries.
    let bound = 2 * 3 * KERNEL_BUFFER_BYTES as usize + QUEUE_BYTES_MAX + 256 * 1024;
    let (_echo, proxy) = line(5).await;
    proxy.slow(1000);
    let written = written_until_stuck(proxy.address()).await;
    assert!(written < bound, "{written} bytes into a slow line, {bound} fit");
    proxy.heal().unwrap();
    proxy.set_line(Line::Blackhole).unwrap();
    let written = written_until_stuck(proxy.address()).await;
    assert!(written < bound, "{written} bytes into a blackhole, {bound} fit");
    // The upstream echoes, and nobody reads the echo.
    proxy.heal().unwrap();
    proxy.delay(Duration::ZERO, Duration::from_secs(3600));
    let written = written_until_stuck(proxy.address()).await;
    assert!(written < 64 << 20, "{written} bytes to who does not read");
}
