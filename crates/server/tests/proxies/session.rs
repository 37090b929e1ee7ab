//! A client's session through a proxy, over any transport.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::support::{PATIENCE, Proxy};

/// What carries a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Frames,
    Events,
    Lines,
    Polls,
}

pub(crate) const TRANSPORTS: [Transport; 4] =
    [Transport::Frames, Transport::Events, Transport::Lines, Transport::Polls];

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// How a client gets to a proxy.
#[derive(Clone)]
pub(crate) struct Road {
    http: reqwest::Client,
    /// `http://example.com:PORT`
    base: String,
    address: SocketAddr,
    /// The only certificate that is trusted, where TLS is spoken.
    trusted: Option<String>,
    /// What the proxy wants to be told again.
    pub(crate) cookie: Option<String>,
}

impl Road {
    pub(crate) fn new(proxy: &Proxy, tls: bool) -> Self {
        let (scheme, address) = if tls { ("https", proxy.tls) } else { ("http", proxy.plain) };
        let root = reqwest::Certificate::from_pem(proxy.certificate.as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([root]).resolve("example.com", address);
        let trusted = tls.then(|| proxy.certificate.clone());
        let base = format!("{scheme}://example.com:{}", address.port());
        Self { http: http.build().unwrap(), base, address, trusted, cookie: None }
    }

    pub(crate) async fn stream(&self) -> Outcome<Box<dyn Duplex>> {
        let stream = TcpStream::connect(self.address).await?;
        let Some(trusted) = &self.trusted else { return Ok(Box::new(stream)) };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.as_bytes())?)?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("example.com")?;
        Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        // What browsers say; nobody may take it up.
        let request =
            self.http.request(method, format!("{}{path}", self.base)).header("accept-encoding", "gzip");
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    async fn get(&self, path: &str, last_event_id: Option<u64>) -> Outcome<reqwest::Response> {
        let mut request = self.request(reqwest::Method::GET, path);
        if let Some(last) = last_event_id {
            request = request.header("last-event-id", last);
        }
        Ok(request.send().await?.error_for_status()?)
    }
}

/// A session, and how far in it its client has come.
pub(crate) struct Session {
    pub(crate) road: Road,
    pass: String,
    seen: u64,
    line: Option<Line>,
}

/// What a transport brings, until it ends.
struct Line {
    heard: mpsc::UnboundedReceiver<Heard>,
    reader: AbortHandle,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Session {
    /// Begins one; keeps the proxy's cookie if `cookies`.
    pub(crate) async fn begin(mut road: Road, cookies: bool) -> Self {
        let response = road.request(reqwest::Method::POST, "/session").send().await.unwrap();
        assert_eq!(response.status(), 201, "{}", road.base);
        if let Some(cookie) = response.headers().get("set-cookie").filter(|_| cookies) {
            let (cookie, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            road.cookie = Some(cookie.to_owned());
        }
        let told: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        let pass = told["session"].as_str().unwrap().to_owned();
        Self { road, pass, seen: 0, line: None }
    }

    /// Posts a message; the status of the answer.
    pub(crate) async fn say(&self, message: Value) -> u16 {
        let path = format!("/send?session={}", self.pass);
        let request = self.road.request(reqwest::Method::POST, &path);
        let posted = request.header("content-type", "application/json").body(message.to_string()).send();
        timeout(PATIENCE, posted).await.expect("an answer in time").unwrap().status().as_u16()
    }

    /// The status of a poll.
    pub(crate) async fn poll(&self) -> u16 {
        let path = format!("/poll?session={}&seen={}", self.pass, self.seen);
        let polled = self.road.request(reqwest::Method::GET, &path).send();
        timeout(PATIENCE, polled).await.expect("an answer in time").unwrap().status().as_u16()
    }

    /// Has the session carried by a new connection of this kind.
    pub(crate) fn carry(&mut self, transport: Transport) {
        let (to_us, heard) = mpsc::unbounded_channel();
        let (road, pass, seen) = (self.road.clone(), self.pass.clone(), self.seen);
        let reader = tokio::spawn(async move {
            // However it ends, who waits for messages sees that there are no more.
            let ended = match transport {
                Transport::Frames => frames(&road, &pass, seen, &to_us).await,
                Transport::Events => events(&road, &pass, seen, &to_us).await,
                Transport::Lines => lines(&road, &pass, seen, &to_us).await,
                Transport::Polls => polls(&road, &pass, seen, &to_us).await,
            };
            println!("{transport:?} ended: {ended:?}");
        });
        self.line = Some(Line { heard, reader: reader.abort_handle() });
    }

    /// Hangs up without a word.
    pub(crate) fn cut(&mut self) {
        self.line = None;
    }

    /// The next message; none once the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Heard::Message(message) = self.hear().await? {
                self.seen += 1;
                return Some(message);
            }
        }
    }

    /// Waits for the next heartbeat, with nothing before it; false once the connection has ended.
    pub(crate) async fn beat(&mut self) -> bool {
        match self.hear().await {
            None => false,
            Some(Heard::Beat) => true,
            Some(Heard::Message(message)) => panic!("{message}"),
        }
    }

    async fn hear(&mut self) -> Option<Heard> {
        let line = self.line.as_mut().expect("a connection");
        timeout(PATIENCE, line.heard.recv()).await.expect("something or the end in time")
    }
}

enum Heard {
    Message(Value),
    Beat,
}

type Ear = mpsc::UnboundedSender<Heard>;

fn message(text: &str, to: &Ear) -> Outcome<()> {
    Ok(to.send(Heard::Message(serde_json::from_str(text)?)).map_err(|_| "nobody listens")?)
}

fn beat(to: &Ear) -> Outcome<()> {
    Ok(to.send(Heard::Beat).map_err(|_| "nobody listens")?)
}

async fn frames(road: &Road, pass: &str, seen: u64, to: &Ear) -> Outcome<()> {
    let url = format!("{}/ws?session={pass}&seen={seen}", road.base.replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    if let Some(cookie) = &road.cookie {
        request.headers_mut().insert("cookie", cookie.parse()?);
    }
    let (mut socket, _) = tokio_tungstenite::client_async(request, road.stream().await?).await?;
    while let Some(frame) = socket.next().await {
        match frame? {
            Message::Text(text) => message(&text, to)?,
            Message::Ping(_) => {
                socket.flush().await?; // the pong
                beat(to)?;
            }
            _ => {}
        }
    }
    Ok(())
}

async fn events(road: &Road, pass: &str, seen: u64, to: &Ear) -> Outcome<()> {
    let response = road.get(&format!("/sse?session={pass}"), Some(seen)).await?;
    let mut last = seen;
    let mut kind = String::new();
    each_line(response, |line| {
        match line.split_once(": ") {
            Some(("event", event)) => event.clone_into(&mut kind),
            Some(("id", id)) => {
                last += 1;
                assert_eq!(id, last.to_string(), "an event's number");
            }
            Some(("data", data)) if kind.is_empty() => return message(data, to),
            Some(("data", data)) => return Err(data.into()),
            None if line == ":" => return beat(to),
            _ => {}
        }
        Ok(())
    })
    .await
}

async fn lines(road: &Road, pass: &str, seen: u64, to: &Ear) -> Outcome<()> {
    let response = road.get(&format!("/stream?session={pass}&seen={seen}"), None).await?;
    each_line(response, |line| match line {
        "" => beat(to),
        padding if padding.trim().is_empty() => Ok(()),
        closed if closed.starts_with("{\"closed\"") => Err(closed.into()),
        text => message(text, to),
    })
    .await
}

async fn polls(road: &Road, pass: &str, mut seen: u64, to: &Ear) -> Outcome<()> {
    loop {
        let response = road.get(&format!("/poll?session={pass}&seen={seen}"), None).await?;
        let polled: Value = serde_json::from_slice(&response.bytes().await?)?;
        for polled in polled["messages"].as_array().ok_or("no messages")? {
            message(&polled.to_string(), to)?;
        }
        seen = polled["seen"].as_u64().ok_or("no place")?;
    }
}

/// Reads a response as it comes.
async fn each_line(response: reqwest::Response, mut line: impl FnMut(&str) -> Outcome<()>) -> Outcome<()> {
    let mut bytes = response.bytes_stream();
    let mut text = Vec::new();
    while let Some(more) = bytes.next().await {
        text.extend_from_slice(&more?);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            line(std::str::from_utf8(&text[..end])?)?;
            text.drain(..=end);
        }
    }
    Ok(())
}
