//! Upgrades that fail, or succeed in odd ways.

use super::{Case, hidden};

#[rustfmt::skip]
pub(super) const UPGRADES: &[Case] = &[
    hidden(
        "an upgrade of an unknown version",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         {PUBLICATION}",
    ),
    hidden(
        "an upgrade without a version",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade without a key",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade with a bad key",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade to an unknown dialect",
        "GET /ws/nothing HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade to an unknown subprotocol",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: fanfare.nothing\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade with an unknown user",
        "GET /ws?user=%00 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade at a path where nothing is",
        "GET /ws/a/b/c HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade at a page",
        "GET /ready HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         {PUBLICATION}",
    ),
    hidden(
        "an upgrade by POST",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Content-Length: 0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade by POST with a body",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Content-Length: {LENGTH}\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade with a body",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Content-Length: {LENGTH}\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade of an unknown version with a body",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Content-Length: {LENGTH}\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade of an unknown version in chunks",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade in chunks",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade that succeeds, and no frames",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         {PUBLICATION}",
    ),
    hidden(
        "an upgrade over HTTP/1.0",
        "GET /ws HTTP/1.0\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         {PUBLICATION}",
    ),
    hidden(
        "an upgrade with a close",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
         Connection: Upgrade, close\r\nSec-WebSocket-Version: 99\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade that Connection does not name",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         {PUBLICATION}",
    ),
    hidden(
        "an upgrade in other letters",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\nConnection: UPGRADE\r\n\
         Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         {PUBLICATION}",
    ),
    hidden(
        "an upgrade to h2c",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n\
         Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n\
         PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade to h2c that Connection half names",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\
         HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade to h2c at the API",
        "POST /api/publish HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n\
         Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\
         Content-Length: 0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an upgrade to h2c or WebSocket",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c, websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 99\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "two upgrades",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 99\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "the preface of HTTP/2",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "a refusal that quotes a 101",
        "GET /ws?dialect=HTTP/1.1%20101%20Switching%20Protocols%0d%0aInjected:%20yes%0d%0a%0d%0a HTTP/1.1\r\n\
         Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         {PUBLICATION}",
    ),
    hidden(
        "a path that quotes a 101",
        "GET /ws/%0d%0aHTTP/1.1%20101%20Switching%20Protocols%0d%0aInjected:%20yes%0d%0a%0d%0a HTTP/1.1\r\n\
         Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
         {PUBLICATION}",
    ),
];
