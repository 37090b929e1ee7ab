//! The server, the proxies and bytes on a socket.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fanfare_attack::Server;
use serde_json::Value;

pub(crate) const KEY: &str = "the-key-of-the-backend";

/// Nothing here takes longer; a test that would wait for ever fails instead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The server with an API key that is known, and whatever else is set.
pub(crate) fn serve(settings: &[(&str, &str)]) -> Server {
    // Who comes through a proxy is from anywhere, and need not have a name.
    let own = [("FANFARE_API_KEYS", KEY), ("FANFARE_AUTH_MODE", "optional")];
    let settings = own.iter().chain(settings);
    let settings: Vec<(String, String)> =
        settings.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Server::start(Path::new(env!("CARGO_BIN_EXE_fanfare")), &settings).unwrap()
}

/// Which proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Haproxy,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Nginx, Kind::Haproxy];

/// A proxy with its documented configuration, on ports of its own.
pub(crate) struct Proxy {
    child: Child,
    folder: PathBuf,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    /// Its certificate, in PEM.
    pub(crate) certificate: String,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The nginx around the documented file: in the foreground, one process, nothing outside its folder.
const NGINX: &str = "daemon off;\nmaster_process off;\npid FOLDER/pid;\nerror_log FOLDER/error.log;\n\
    events { worker_connections 1024; }\nhttp {\naccess_log off;\nclient_body_temp_path FOLDER/body;\n\
    proxy_temp_path FOLDER/proxy;\nfastcgi_temp_path FOLDER/fastcgi;\nuwsgi_temp_path FOLDER/uwsgi;\n\
    scgi_temp_path FOLDER/scgi;\ninclude FOLDER/fanfare.conf;\n}\n";

impl Proxy {
    /// Starts it in front of `server`. `change` is what a test wants to be different from the documented file.
    pub(crate) fn start(kind: Kind, server: SocketAddr, change: impl Fn(String) -> String) -> Self {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let serial = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("fanfare-proxy-{}-{serial}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let certified = rcgen::generate_simple_self_signed(vec!["example.com".to_owned()]).unwrap();
        let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        write("fanfare.crt", &certificate);
        write("fanfare.key", &key);
        write("fanfare.pem", &format!("{certificate}{key}"));
        let (plain, tls) = (free_address(), free_address());
        let here = folder.to_str().unwrap();
        let places = [
            ("listen 80;", format!("listen {plain};")),
            ("listen 443 ssl;", format!("listen {tls} ssl;")),
            ("bind :80", format!("bind {plain}")),
            ("bind :443 ", format!("bind {tls} ")),
            ("127.0.0.1:8000", server.to_string()),
            ("/etc/nginx/tls", here.to_owned()),
            ("/etc/haproxy", here.to_owned()),
        ];
        let file = match kind {
            Kind::Nginx => "deploy/nginx/fanfare.conf",
            Kind::Haproxy => "deploy/haproxy/haproxy.cfg",
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let documented = fs::read_to_string(root.join(file)).unwrap();
        let moved = places.iter().fold(documented, |text, (there, here)| text.replace(there, here));
        write("fanfare.conf", &change(moved));
        write("nginx.conf", &NGINX.replace("FOLDER", here));
        // Debian has both in /usr/sbin, which is not on everybody's path.
        let mut command = match kind {
            Kind::Nginx => Command::new("/usr/sbin/nginx"),
            Kind::Haproxy => Command::new("/usr/sbin/haproxy"),
        };
        match kind {
            Kind::Nginx => command.args(["-e", "stderr", "-c", &format!("{here}/nginx.conf")]),
            Kind::Haproxy => command.args(["-db", "-f", &format!("{here}/fanfare.conf")]),
        };
        let log = fs::File::create(folder.join("log")).unwrap();
        let errors = log.try_clone().unwrap();
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().unwrap_or_else(|error| {
            panic!("{kind:?} does not start: {error}; scripts/setup.sh test installs it")
        });
        let mut proxy = Self { child, folder, plain, tls, certificate };
        proxy.wait(kind);
        proxy
    }

    fn wait(&mut self, kind: Kind) {
        let begun = Instant::now();
        while TcpStream::connect(self.plain).is_err() {
            let said = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{kind:?} does not listen: {}", said());
            std::thread::yield_now();
        }
    }
}

/// An address that nobody listens on. Another process may take it before the proxy does; then the test fails at once.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Sends bytes and reads until the other side ends.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8]) -> Result<String, String> {
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    // Whether all of it was taken shows in what comes back.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => {
            Err(format!("{error} after {:?}", String::from_utf8_lossy(&answer)))
        }
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

/// The status of the first response.
pub(crate) fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok()).unwrap_or(0)
}

/// Calls the API as the backend does, past the proxy.
pub(crate) fn api(address: SocketAddr, operation: &str, body: &Value) -> Value {
    let body = body.to_string();
    let request = format!(
        "POST /api/{operation} HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {KEY}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(address, request.as_bytes()).unwrap();
    assert_eq!(status(&answer), 200, "{operation}: {answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}
