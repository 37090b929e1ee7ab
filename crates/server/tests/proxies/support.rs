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
    kind: Kind,
    child: Child,
    /// The process that a reload has replaced.
    former: Option<Child>,
    folder: PathBuf,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    /// Its certificate, in PEM.
    pub(crate) certificate: String,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        match self.kind {
            // Its workers outlive it unless it ends them.
            Kind::Nginx => drop(self.command(&["-s", "stop"]).status()),
            Kind::Haproxy => drop(self.child.kill()),
        }
        let _ = self.child.wait();
        if let Some(former) = &mut self.former {
            let _ = former.kill();
            let _ = former.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The nginx around the documented file: in the foreground, nothing outside its folder, and with what others may have
/// switched on for all their pages.
const NGINX: &str = "daemon off;\nworker_shutdown_timeout 1s;\npid FOLDER/pid;\nerror_log FOLDER/error.log;\n\
    events { worker_connections 1024; }\nhttp {\naccess_log off;\ngzip on;\ngzip_types *;\ngzip_min_length 1;\n\
    gzip_proxied any;\nclient_body_temp_path FOLDER/body;\n\
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
            ("listen 443 ssl", format!("listen {tls} ssl")),
            ("bind :80", format!("bind {plain}")),
            ("bind :443 ", format!("bind {tls} ")),
            ("127.0.0.1:8000", server.to_string()),
            ("/etc/nginx/tls", here.to_owned()),
            ("/var/log/nginx", here.to_owned()),
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
        let child = spawn(command(kind, &folder), &folder);
        let mut proxy = Self { kind, child, former: None, folder, plain, tls, certificate };
        proxy.wait(kind);
        proxy
    }

    /// Has the configuration read again, as an operator does.
    pub(crate) fn reload(&mut self) {
        match self.kind {
            Kind::Nginx => assert!(self.command(&["-s", "reload"]).status().unwrap().success()),
            Kind::Haproxy => {
                let former = self.child.id().to_string();
                let next = spawn(self.command(&["-sf", &former]), &self.folder);
                self.former = Some(std::mem::replace(&mut self.child, next));
            }
        }
    }

    /// The program with its configuration and these arguments.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.kind, &self.folder);
        command.args(arguments);
        command
    }

    /// What it has written down about its clients' requests, if it writes that.
    pub(crate) fn access_log(&self) -> String {
        fs::read_to_string(self.folder.join("fanfare.log")).unwrap_or_default()
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

/// The program with its configuration.
fn command(kind: Kind, folder: &Path) -> Command {
    // Debian has both in /usr/sbin, which is not on everybody's path.
    let (program, arguments, file) = match kind {
        Kind::Nginx => ("/usr/sbin/nginx", ["-e", "stderr", "-c"].as_slice(), "nginx.conf"),
        Kind::Haproxy => ("/usr/sbin/haproxy", ["-db", "-f"].as_slice(), "fanfare.conf"),
    };
    let mut command = Command::new(program);
    command.args(arguments).arg(folder.join(file));
    command
}

fn spawn(mut command: Command, folder: &Path) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let errors = log.try_clone().unwrap();
    let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
    child.unwrap_or_else(|error| {
        panic!("{command:?} does not start: {error}; scripts/setup.sh test installs it")
    })
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
