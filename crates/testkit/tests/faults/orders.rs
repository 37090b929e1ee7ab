//! The proxy as a program that takes orders.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::support::{Echo, Ending, Talker, within};

struct Program {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Program {
    async fn start(upstream: SocketAddr) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fanfare-faults"))
            .args([&upstream.to_string(), "7"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = within("the program", answers.next_line()).await.unwrap().unwrap();
        let address = said.strip_prefix("listening ").unwrap().parse().unwrap();
        Self { child, orders, answers, address }
    }

    /// The answer to an order.
    async fn order(&mut self, line: &str) -> String {
        self.orders.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        within("the answer", self.answers.next_line()).await.unwrap().unwrap()
    }

    async fn does(&mut self, line: &str) {
        assert_eq!(self.order(line).await, "ok", "{line}");
    }
}

#[tokio::test]
async fn every_order_is_carried_out_and_answered() {
    let mut echo = Echo::start().await;
    let mut program = Program::start(echo.address).await;
    let mut talker = Talker::connect(program.address).await;
    talker.asks(b"hello").await;
    let peer = talker.0.local_addr().unwrap();
    assert_eq!(program.order("connections").await, format!("ok 0={peer}"));

    program.does("delay 3600000").await;
    talker.say(b"later").await;
    program.does("delay 0 5").await;
    talker.hears(b"later").await;
    program.does("slow 0").await;
    talker.say(b"slower").await;
    program.does("slow 100000").await;
    talker.hears(b"slower").await;
    program.does("blackhole").await;
    talker.say(b"dark").await;
    talker.has_heard_nothing();
    program.does("heal").await;
    talker.hears(b"dark").await;
    program.does("cut 0").await;
    assert_eq!(talker.end().await, (vec![], Ending::Reset));
    echo.ending().await;

    talker = Talker::connect(program.address).await;
    talker.asks(b"again").await;
    program.does("drop 1").await;
    talker.say(b"lost").await;
    talker.end().await;
    program.does("drop").await;
    assert_eq!(Talker::connect(program.address).await.end().await, (vec![], Ending::Eof));
    program.does("cut").await;
    tokio::net::TcpStream::connect(program.address).await.unwrap_err();
    program.does("heal").await;
    talker = Talker::connect(program.address).await;
    talker.asks(b"again").await;
    program.does("cut 20 every 60").await;
    assert_eq!(talker.end().await, (vec![], Ending::Reset));
    program.does("heal").await;
    Talker::connect(program.address).await.asks(b"again").await;
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_an_error_and_changes_nothing() {
    let echo = Echo::start().await;
    let mut program = Program::start(echo.address).await;
    for (order, answer) in [
        ("", "error there is no such order: "),
        ("explode", "error there is no such order: explode"),
        ("cut now", "error not a number: now"),
        ("cut 5", "error there is no connection 5"),
        ("cut 10 every 10", "error a cut must be shorter than its period"),
        ("delay", "error there is no such order: delay"),
        ("delay -1", "error not a number: -1"),
        ("slow 5000000000", "error not a number: 5000000000"),
        ("connections", "ok"),
    ] {
        assert_eq!(program.order(order).await, answer);
    }
    let mut talker = Talker::connect(program.address).await;
    talker.asks(b"unharmed").await;
    let Program { mut child, orders, .. } = program;
    drop(orders);
    assert!(within("the program's end", child.wait()).await.unwrap().success());
    talker.end().await;
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_an_error() {
    for (arguments, text) in [
        (&[][..], "usage: fanfare-faults UPSTREAM [SEED]"),
        (&["nowhere"], "not an address and port: nowhere"),
        (&["127.0.0.1:1", "many"], "not a number: many"),
    ] {
        let program = Command::new(env!("CARGO_BIN_EXE_fanfare-faults")).args(arguments).output();
        let output = within("the program", program).await.unwrap();
        assert!(!output.status.success());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("fanfare-faults: {text}\n"));
    }
}
