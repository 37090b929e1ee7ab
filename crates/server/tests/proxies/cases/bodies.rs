//! Bodies whose end may be seen in two places.

use super::{Case, hidden};

#[rustfmt::skip]
pub(super) const BODIES: &[Case] = &[
    hidden(
        "a length and chunks",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "chunks and a length",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\
         Content-Length: 4\r\n\r\n{HEX}\r\n{PUBLICATION}\r\n0\r\n\r\n",
    ),
    hidden(
        "an encoding that is almost chunked",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "chunked after a blank",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "chunked after a vertical tab",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "chunked and then identity",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "identity and then chunked",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "two encodings",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "chunked in quotes",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "chunked on a folded line",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         Transfer-Encoding:\r\nchunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "chunked behind a bare newline",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         X: x\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "chunked with an underscore",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "chunked with a zero byte",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH+5}\r\n\
         Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "two lengths",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\
         Content-Length: {LENGTH}\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "two lengths the other way",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH}\r\n\
         Content-Length: 0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "a list of lengths",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0, {LENGTH}\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "a length with a sign",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: +0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "a negative length",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "a length in hexadecimal",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "a length beyond 64 bits",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551616\r\n\r\n\
         {PUBLICATION}",
    ),
    hidden(
        "a length after a blank",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length : {LENGTH}\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "a body of a GET",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LENGTH}\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "an announced body that is not awaited",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\
         Content-Length: {LENGTH}\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "chunks over HTTP/1.0",
        "POST /ws HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\
         Connection: keep-alive\r\n\r\n{HEX}\r\n{PUBLICATION}\r\n0\r\n\r\n",
    ),
    hidden(
        "a chunk with an extension",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{HEX};a=b\r\n\
         {PUBLICATION}\r\n0;c\r\n\r\n",
    ),
    hidden(
        "a chunk with a newline in its extension",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n\
         {HEX}\r\n0\r\n\r\n{PUBLICATION}",
    ),
    hidden(
        "a chunk whose extension is a request",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         1;a\n0\n\n{PUBLICATION}\r\nx\r\n0\r\n\r\n",
    ),
    hidden(
        "a chunk without a carriage return",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\n\n{PUBLICATION}",
    ),
    hidden(
        "a chunk size with a sign",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\
         {PUBLICATION}",
    ),
    hidden(
        "a chunk size with 0x",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0x{HEX}\r\n\
         {PUBLICATION}\r\n0\r\n\r\n",
    ),
    hidden(
        "a chunk size beyond 64 bits",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         10000000000000000\r\n{PUBLICATION}",
    ),
    hidden(
        "a chunk that is too short",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\
         xx{PUBLICATION}\r\n0\r\n\r\n",
    ),
    hidden(
        "trailers that repeat the head",
        "POST /ws HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\
         Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{PUBLICATION}",
    ),
];
