//! An HTTP endpoint with one answer, which counts who asks.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is answered.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) location: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn ok(body: String) -> Self {
        Self { status: "200 OK", location: "/".to_owned(), body }
    }
}

pub(crate) struct Endpoint {
    url: String,
    answer: Arc<Mutex<Answer>>,
    requests: watch::Receiver<usize>,
    held: watch::Sender<bool>,
}

impl Endpoint {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys.json", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(answer));
        let (count, requests) = watch::channel(0);
        let held = watch::Sender::new(false);
        let (answers, holds) = (answer.clone(), held.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (count, answers, held) = (count.clone(), answers.clone(), holds.subscribe());
                tokio::spawn(serve(stream, count, answers, held));
            }
        });
        Self { url, answer, requests, held }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// What is answered from now on.
    pub(crate) fn set(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// From now on requests are read, and not answered.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// All that wait are answered.
    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }

    /// How many requests there were.
    pub(crate) fn count(&self) -> usize {
        *self.requests.borrow()
    }

    /// Waits until there were so many requests.
    pub(crate) async fn requests(&mut self, count: usize) {
        self.requests.wait_for(|seen| *seen >= count).await.unwrap();
        assert_eq!(self.count(), count);
    }
}

async fn serve(
    mut stream: TcpStream,
    count: watch::Sender<usize>,
    answer: Arc<Mutex<Answer>>,
    mut held: watch::Receiver<bool>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    count.send_modify(|count| *count += 1);
    held.wait_for(|held| !held).await.unwrap();
    let Answer { status, location, body } = answer.lock().unwrap().clone();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    // A client that has read enough, or has given up, may be gone.
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}
