//! The PROXY protocol, versions 1 and 2: a proxy that passes bytes on says first from whom they are.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::io;
use std::net::{IpAddr, SocketAddr};

use ppp::{HeaderResult, v1, v2};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// The longest header of version 1, its line end included.
const V1_BYTES_MAX: usize = 107;

/// The longest header of version 2 that is taken: what its extensions say is not used.
const V2_BYTES_MAX: usize = 4096;

/// The signature and the fixed part of version 2.
const V2_FIXED: usize = 16;

/// Takes the header off a connection, and no byte more. Gives the client's address; none when the proxy asks in its own
/// name, as for a health check.
///
/// # Errors
/// `InvalidData` for anything else than a header; what the socket says.
pub(super) async fn take(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut header = Vec::with_capacity(V1_BYTES_MAX);
    let mut window = [0; 256];
    loop {
        // Looked at first: what stands behind the header is for whoever serves the connection.
        let seen = stream.peek(&mut window).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (belongs, complete) = extent(&header, &window[..seen])?;
        stream.read_exact(&mut window[..belongs]).await?;
        header.extend_from_slice(&window[..belongs]);
        if complete {
            return source(&header);
        }
    }
}

/// How many of the next bytes belong to the header, and whether it is complete with them.
fn extent(header: &[u8], next: &[u8]) -> io::Result<(usize, bool)> {
    let (first, so_far) = (header.first().or(next.first()), header.len());
    match first {
        Some(b'P') => {
            let end = next.iter().position(|byte| *byte == b'\n');
            let belongs = end.map_or(next.len(), |at| at + 1);
            if so_far + belongs > V1_BYTES_MAX || !is_prefix(header, next, v1::PROTOCOL_PREFIX.as_bytes()) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            Ok((belongs, end.is_some()))
        }
        Some(b'\r') => {
            if !is_prefix(header, next, v2::PROTOCOL_PREFIX) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let length = match header {
                [.., high, low] if so_far == V2_FIXED => usize::from(u16::from_be_bytes([*high, *low])),
                [..] if so_far > V2_FIXED => {
                    usize::from(u16::from_be_bytes([header[V2_FIXED - 2], header[V2_FIXED - 1]]))
                }
                // How long it is, is said at the end of the fixed part.
                _ => {
                    let belongs = next.len().min(V2_FIXED - so_far);
                    let mut fixed = header.to_vec();
                    fixed.extend_from_slice(&next[..belongs]);
                    return Ok((belongs, fixed.len() == V2_FIXED && fixed.ends_with(&[0, 0])));
                }
            };
            if V2_FIXED + length > V2_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let missing = V2_FIXED + length - so_far;
            Ok((missing.min(next.len()), missing <= next.len()))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Whether what there is so far can be the beginning of a header.
fn is_prefix(header: &[u8], next: &[u8], prefix: &[u8]) -> bool {
    header.iter().chain(next).zip(prefix).all(|(byte, wanted)| byte == wanted)
}

fn source(header: &[u8]) -> io::Result<Option<SocketAddr>> {
    let address = |ip: IpAddr, port| Some(SocketAddr::new(ip.to_canonical(), port));
    match HeaderResult::parse(header) {
        HeaderResult::V1(Ok(header)) => Ok(match header.addresses {
            v1::Addresses::Tcp4(ip) => address(ip.source_address.into(), ip.source_port),
            v1::Addresses::Tcp6(ip) => address(ip.source_address.into(), ip.source_port),
            v1::Addresses::Unknown => None,
        }),
        HeaderResult::V2(Ok(v2::Header { command: v2::Command::Proxy, addresses, .. })) => {
            Ok(match addresses {
                v2::Addresses::IPv4(ip) => address(ip.source_address.into(), ip.source_port),
                v2::Addresses::IPv6(ip) => address(ip.source_address.into(), ip.source_port),
                v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
            })
        }
        HeaderResult::V2(Ok(_)) => Ok(None),
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// What is taken off, and what is left for the server.
    async fn taken(parts: &[&[u8]]) -> (Result<String, io::ErrorKind>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.set_nodelay(true).unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        let sending = tokio::spawn(async move {
            for part in parts {
                let _ = client.write_all(&part).await;
                tokio::task::yield_now().await;
            }
            let _ = client.shutdown().await;
            client
        });
        let result = take(&mut stream).await.map_err(|error| error.kind());
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        drop(sending.await.unwrap());
        (result.map(|source| source.map_or("-".to_owned(), |source| source.to_string())), rest)
    }

    fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let mut header = v2::PROTOCOL_PREFIX.to_vec();
        header.extend([0x20 | command, family]);
        header.extend((payload.len() as u16).to_be_bytes());
        header.extend(payload);
        header
    }

    #[tokio::test]
    async fn a_header_is_taken_off_whole_and_nothing_behind_it() {
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x13, 0x88, 0, 80];
        let mut v6 = vec![0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
        v6.extend([0; 16]);
        v6.extend([0x13, 0x88, 0, 80]);
        let mut extended = v4.to_vec();
        extended.extend([4; 3_000]);
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\r\n".to_vec(), "192.0.2.7:5000"),
            (b"PROXY TCP6 2001:db8::5 ::1 5000 80\r\n".to_vec(), "[2001:db8::5]:5000"),
            (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 5000 80\r\n".to_vec(), "192.0.2.7:5000"),
            (b"PROXY UNKNOWN\r\n".to_vec(), "-"),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), "-"),
            (v2(1, 0x11, &v4), "192.0.2.7:5000"),
            (v2(1, 0x21, &v6), "[2001:db8::5]:5000"),
            (v2(1, 0x11, &extended), "192.0.2.7:5000"),
            (v2(0, 0x00, &[]), "-"),
            (v2(0, 0x11, &v4), "-"),
            (v2(1, 0x00, &[]), "-"),
            (v2(1, 0x31, &[7; 216]), "-"),
        ];
        for (header, wanted) in cases {
            let behind = b"GET / HTTP/1.1\r\n\r\nPROXY TCP4 6.6.6.6".as_slice();
            let whole = [&header[..], behind].concat();
            let (got, rest) = taken(&[&whole]).await;
            assert_eq!((got.as_deref(), &rest[..]), (Ok(wanted), behind), "{header:?}");
            let bytes: Vec<&[u8]> = whole.chunks(1).collect();
            let (got, rest) = taken(&bytes).await;
            assert_eq!((got.as_deref(), &rest[..]), (Ok(wanted), behind), "{header:?} bit by bit");
        }
    }

    #[tokio::test]
    async fn whatever_is_no_header_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        let cases: Vec<Vec<u8>> = vec![
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"POST / HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 5000\r\n".to_vec(),
            b"PROXY TCP4 garbage 10.0.0.1 5000 80\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::5 ::1 5000 80\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\n".to_vec(),
            b"PROXY TCP5 192.0.2.7 10.0.0.1 5000 80\r\n".to_vec(),
            b"proxy tcp4 192.0.2.7 10.0.0.1 5000 80\r\n".to_vec(),
            long.into_bytes(),
            b"\r\n\r\n\0\r\nQUIX\n".to_vec(),
            v2(1, 0x11, &[0; 11]),
            v2(2, 0x11, &[0; 12]),
            v2(1, 0x41, &[0; 12]),
            v2(1, 0x11, &[0; 5_000]),
            b"\x16\x03\x01\x02\x00".to_vec(),
        ];
        for header in cases {
            let (got, _) = taken(&[&header]).await;
            assert_eq!(got, Err(io::ErrorKind::InvalidData), "{:?}", String::from_utf8_lossy(&header));
        }
        assert_eq!(taken(&[b"PROXY TCP4 192."]).await.0, Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(taken(&[]).await.0, Err(io::ErrorKind::UnexpectedEof));
    }
}
