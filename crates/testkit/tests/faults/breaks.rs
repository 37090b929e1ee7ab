//! Lines that carry nothing, or no longer.

use std::io;
use std::time::Duration;

use fanfare_testkit::faults::{FaultProxy, Line};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::support::{Ending, Talker, line, numbered, within};

async fn is_refused(proxy: &FaultProxy) {
    let error = within("the refusal", TcpStream::connect(proxy.address())).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_cut_resets_both_sides_and_refuses_until_it_is_healed() {
    let (mut echo, proxy) = line(1).await;
    let mut talkers = Vec::new();
    for _ in 0..20 {
        talkers.push(Talker::connect(proxy.address()).await);
        talkers.last_mut().unwrap().asks(b"hello").await;
    }
    for _ in 0..3 {
        proxy.set_line(Line::Cut).unwrap();
        is_refused(&proxy).await;
        for talker in &mut talkers {
            assert_eq!(talker.end().await, (vec![], Ending::Reset));
            assert_eq!(echo.ending().await, Ending::Reset);
        }
        assert_eq!(proxy.connections(), []);
        proxy.heal().unwrap();
        for talker in &mut talkers {
            *talker = Talker::connect(proxy.address()).await;
            talker.asks(b"again").await;
        }
    }
    proxy.cut_once().unwrap();
    for mut talker in talkers {
        assert_eq!(talker.end().await, (vec![], Ending::Reset));
    }
    Talker::connect(proxy.address()).await.asks(b"welcome").await;
}

#[tokio::test]
async fn one_connection_may_be_cut_alone() {
    let (mut echo, proxy) = line(2).await;
    let (mut ann, mut bob) = (Talker::connect(proxy.address()).await, Talker::connect(proxy.address()).await);
    ann.asks(b"ann").await;
    bob.asks(b"bob").await;
    let port_of_ann = ann.0.local_addr().unwrap();
    let open = proxy.connections();
    assert_eq!(open.len(), 2);
    let (number, _) = *open.iter().find(|(_, peer)| *peer == port_of_ann).unwrap();
    assert!(proxy.cut_one(number));
    assert_eq!(ann.end().await, (vec![], Ending::Reset));
    assert_eq!(echo.ending().await, Ending::Reset);
    bob.asks(b"still here").await;
    assert!(!proxy.cut_one(number), "it is gone");
    assert!(!proxy.cut_one(99), "it never was");
    assert_eq!(proxy.connections().len(), 1);
}

#[tokio::test]
async fn a_blackhole_lets_nothing_pass_and_gives_up_all_of_it_when_healed() {
    let (mut echo, proxy) = line(3).await;
    let mut ann = Talker::connect(proxy.address()).await;
    ann.asks(b"before").await;
    let heard = echo.heard();
    proxy.set_line(Line::Blackhole).unwrap();
    ann.say(b"into the hole").await;
    let mut bob = Talker::connect(proxy.address()).await;
    bob.say(b"so is this").await;
    let mut leaver = Talker::connect(proxy.address()).await;
    leaver.0.shutdown().await.unwrap();
    // Another line of the same runtime carries on meanwhile; the time that it takes is this one's to fail in.
    let other = FaultProxy::start(echo.address, 0).await.unwrap();
    let mut witness = Talker::connect(other.address()).await;
    for _ in 0..500 {
        witness.asks(b"all is well").await;
    }
    assert_eq!(echo.heard(), heard + 500 * b"all is well".len());
    ann.has_heard_nothing();
    bob.has_heard_nothing();
    assert_eq!(proxy.connections().len(), 3);
    proxy.heal().unwrap();
    ann.hears(b"into the hole").await;
    bob.hears(b"so is this").await;
    assert_eq!(leaver.end().await, (vec![], Ending::Eof));
    assert_eq!(echo.ending().await, Ending::Eof);
}

#[tokio::test]
async fn a_dropping_line_ends_in_the_middle_of_what_is_said() {
    const WITHIN: usize = 5000;
    let (_echo, proxy) = line(4).await;
    for _ in 0..5 {
        let mut talker = Talker::connect(proxy.address()).await;
        talker.asks(b"whole").await;
        proxy.set_line(Line::Dropping { within_bytes: WITHIN }).unwrap();
        let said = numbered(WITHIN);
        // It may be closed before it has said all.
        let _ = talker.0.write_all(&said).await;
        let (heard, _) = talker.end().await;
        assert!(heard.len() < WITHIN && said.starts_with(&heard), "{} bytes", heard.len());
        assert_eq!(Talker::connect(proxy.address()).await.end().await, (vec![], Ending::Eof));
        proxy.heal().unwrap();
    }
    Talker::connect(proxy.address()).await.asks(b"whole again").await;
}

/// How many of many bytes an upstream that says nothing hears of a connection that is dropped.
async fn heard_of_a_dropped_connection(seed: u64, within_bytes: usize) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap(), seed).await.unwrap();
    let mut talker = Talker::connect(proxy.address()).await;
    let (far, _) = within("the connection", listener.accept()).await.unwrap();
    proxy.set_line(Line::Dropping { within_bytes }).unwrap();
    let said = numbered(25_000);
    let mut upstream = Talker(far);
    let (_, (heard, _)) = tokio::join!(talker.0.write_all(&said), upstream.end());
    assert!(heard.len() < within_bytes && said.starts_with(&heard), "{} bytes", heard.len());
    heard.len()
}

#[tokio::test]
async fn where_a_line_drops_follows_from_the_seed() {
    let mut places = Vec::new();
    for seed in [5, 5, 5, 6, 7] {
        places.push(heard_of_a_dropped_connection(seed, 90_000).await);
        heard_of_a_dropped_connection(seed, 10).await;
    }
    assert!(places[0] == places[1] && places[1] == places[2], "{places:?}");
    assert!(places[2] != places[3] && places[3] != places[4], "{places:?}");
}

#[tokio::test]
async fn a_line_ends_with_its_proxy() {
    let (mut echo, proxy) = line(8).await;
    let mut talker = Talker::connect(proxy.address()).await;
    talker.asks(b"hello").await;
    let address = proxy.address();
    drop(proxy);
    // Without a turn of the runtime: the port is closed when the proxy is dropped.
    let error = std::net::TcpStream::connect(address).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    talker.end().await;
    echo.ending().await;
}

#[tokio::test]
async fn how_one_side_ends_is_how_it_ends_for_the_other() {
    let (mut echo, proxy) = line(9).await;
    let mut orderly = Talker::connect(proxy.address()).await;
    let said = numbered(100_000);
    let (mut read, mut write) = orderly.0.split();
    let saying = async {
        write.write_all(&said).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let hearing = async {
        let mut heard = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut read, &mut heard).await.unwrap();
        assert!(heard == said, "{} of {} bytes came back", heard.len(), said.len());
    };
    within("the echo of a closed half", async { tokio::join!(saying, hearing) }).await;
    assert_eq!(echo.ending().await, Ending::Eof);

    let mut rude = Talker::connect(proxy.address()).await;
    rude.asks(b"hello").await;
    rude.0.set_zero_linger().unwrap();
    drop(rude);
    assert_eq!(echo.ending().await, Ending::Reset);
    within("both to be forgotten", async {
        while !proxy.connections().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_line_may_lead_elsewhere() {
    let (old, proxy) = line(10).await;
    let mut before = Talker::connect(proxy.address()).await;
    before.asks(b"old").await;
    let (new, _) = line(11).await;
    proxy.lead_to(new.address);
    Talker::connect(proxy.address()).await.asks(b"newer").await;
    before.asks(b"old").await;
    assert_eq!((old.heard(), new.heard()), (6, 5));
}

#[tokio::test]
async fn who_is_not_there_is_a_reset() {
    let (echo, proxy) = line(12).await;
    drop(echo);
    assert_eq!(Talker::connect(proxy.address()).await.end().await, (vec![], Ending::Reset));
}

#[tokio::test]
async fn cuts_come_again_and_again_and_a_client_gets_through_between_them() {
    let (_echo, proxy) = line(13).await;
    let cutting = proxy.cut_every(Duration::from_millis(60), Duration::from_millis(20));
    let talking = async {
        let mut cuts = 0;
        while cuts < 5 {
            let Ok(stream) = TcpStream::connect(proxy.address()).await else {
                tokio::task::yield_now().await;
                continue;
            };
            let mut talker = Talker(stream);
            if talker.0.write_all(b"here").await.is_ok() {
                let (heard, ending) = talker.end().await;
                assert!(b"here".starts_with(&heard[..]), "{heard:?}");
                assert_eq!(ending, Ending::Reset);
                cuts += usize::from(heard == b"here");
            }
        }
    };
    within("five cuts", async {
        tokio::select! {
            error = cutting => panic!("{error}"),
            () = talking => {}
        }
    })
    .await;
}
