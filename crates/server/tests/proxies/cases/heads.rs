//! Heads and paths that may be read in two ways.

use super::{Case, hidden, open};

#[rustfmt::skip]
pub(super) const HEADS: &[Case] = &[
    hidden(
        "a folded line",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nX: a\r\n POST /api/publish HTTP/1.1\r\n\
         Content-Length: {LENGTH}\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "two hosts",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nHost: other\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 99\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "no host",
        "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         {PUBLICATION}",
    ),
    hidden(
        "a host with a path",
        "GET /ws HTTP/1.1\r\nHost: localhost/api/publish\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 99\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "bare newlines",
        "GET /ws HTTP/1.1\nHost: localhost\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 99\n\n{PUBLICATION}",
    ),
    hidden(
        "a zero byte in a header",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 99\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "a carriage return in a header",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nX: a\rContent-Length: 0\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 99\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an unknown version of HTTP",
        "GET /ws HTTP/1.9\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         {PUBLICATION}",
    ),
    hidden(
        "HTTP/0.9",
        "GET /ws\r\n{PUBLICATION}",
    ),
    hidden(
        "a request line with a tab",
        "GET\t/ws\tHTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         \r\n{PUBLICATION}",
    ),
    open(
        "the API",
        "POST /api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    open(
        "the API in absolute form",
        "POST http://localhost/api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    open(
        "the API in absolute form of another host",
        "POST http://other/api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    open(
        "the API of a foreign scheme",
        "POST ws://localhost/api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API in authority form",
        "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\nPOST /api/publish HTTP/1.1\r\n\
         Host: localhost\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n\
         Content-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API above",
        "POST /ws/../api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API above in percent",
        "POST /ws/..%2fapi/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API above in dots in percent",
        "POST /ws/%2e%2e/api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API in percent",
        "POST /%61pi/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API with a slash in percent",
        "POST /api%2fpublish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API behind two slashes",
        "POST //api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API behind a dot",
        "POST /./api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API above with a semicolon",
        "POST /ws/..;/api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API above behind a semicolon",
        "POST /ws;/../api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API behind backslashes",
        "POST /ws\\..\\api\\publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API above by backslashes",
        "POST /ws/..\\..\\api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API above a zero byte",
        "POST /ws%00/../api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API in a query",
        "POST /ws?/../../api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API above a question mark in percent",
        "POST /ws%3f/../api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API in a fragment",
        "POST /ws#/../api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API in capitals",
        "POST /API/PUBLISH HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API with a slash",
        "POST /api/publish/ HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API far above",
        "POST /ws/../../../api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API above in percent twice",
        "POST /ws/%252e%252e/api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API two above",
        "POST /ws/native/../../api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API by another header",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nX-Original-URL: /api/publish\r\n\
         X-Rewrite-URL: /api/publish\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n\
         Content-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    hidden(
        "the API by another method",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: POST\r\n\
         X-Original-URL: /api/publish\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n\
         Content-Length: {BODY-LENGTH}\r\n\r\n{BODY}",
    ),
    open(
        "the API without the proxy's headers",
        "POST /api/publish HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {BODY-LENGTH}\r\n\
         Connection: close, X-API-Key, X-Forwarded-For\r\n\r\n{BODY}",
    ),
];
