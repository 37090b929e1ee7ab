#!/usr/bin/env python3
"""Resident memory per idle subscribed WebSocket over HTTP/2: as one stream of a hundred, and as a connection's only one.

    benches/idle_http2.py [--streams 3000] [--server target/release/fanfare] [--write]

Starts the server, opens the streams on connections without TLS, a hundred on each, and measures; then, with a server that
is new, one on each, without TLS and with it, as browsers do. Ten streams share a channel; each has had one protocol ping and answered it before the
server's size is read. With --write the numbers go to benches/results.
"""

import argparse
import asyncio
import datetime
import json
import pathlib
import re
import ssl
import subprocess
import tempfile

from idle_tls import PING_INTERVAL_S, ROOM_MEMBERS, frame, machine, make_certificate, rss_kib

STREAMS_MAX = 100
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
ACK, END_HEADERS = 1, 4


def http2_frame(kind, flags, stream, payload=b""):
    """RFC 9113, section 4.1."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def field(name, value):
    """A literal without indexing (RFC 7541, section 6.2.2)."""
    return b"".join([b"\0", bytes([len(name)]), name, bytes([len(value)]), value])


CONNECT = b"".join(
    field(name, value)
    for name, value in [
        (b":method", b"CONNECT"),
        (b":protocol", b"websocket"),
        (b":scheme", b"http"),
        (b":path", b"/ws"),
        (b":authority", b"localhost"),
        (b"sec-websocket-version", b"13"),
    ]
)


class Connection(asyncio.Protocol):
    """A connection whose streams subscribe, each to its room, and answer pings."""

    def __init__(self, rooms):
        new = asyncio.get_running_loop().create_future
        self.buffer = b""
        self.streams = {2 * n + 1: [room, b"", new(), new()] for n, room in enumerate(rooms)}

    def futures(self):
        return [future for stream in self.streams.values() for future in stream[2:]]

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(SETTINGS, 0, 0))

    def connection_lost(self, error):
        for future in self.futures():
            if not future.done():
                future.set_exception(error or ConnectionError("closed"))

    def data_received(self, data):
        self.buffer += data
        while len(self.buffer) >= 9:
            end = 9 + int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < end:
                return
            kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big")
            payload, self.buffer = self.buffer[9:end], self.buffer[end:]
            if kind == SETTINGS and not flags & ACK:
                self.transport.write(http2_frame(SETTINGS, ACK, 0))
                for number in self.streams:
                    self.transport.write(http2_frame(HEADERS, END_HEADERS, number, CONNECT))
            elif kind == PING and not flags & ACK:
                self.transport.write(http2_frame(PING, ACK, 0, payload))
            elif kind == HEADERS:
                assert payload[0] == 0x88, f"no 200 but {payload}"
                message = json.dumps({"type": "subscribe", "channel": self.streams[stream][0]}).encode()
                self.transport.write(http2_frame(DATA, 0, stream, frame(1, message)))
            elif kind == DATA and payload:
                window = len(payload).to_bytes(4, "big")
                self.transport.write(http2_frame(WINDOW_UPDATE, 0, 0, window))
                self.transport.write(http2_frame(WINDOW_UPDATE, 0, stream, window))
                self.heard(stream, payload)
            else:
                assert kind in (SETTINGS, PING, WINDOW_UPDATE), f"frame {kind} on {stream}: {payload}"

    def heard(self, number, data):
        stream = self.streams[number]
        stream[1] += data
        while len(stream[1]) >= 2:
            start, size = 2, stream[1][1]
            if size == 126:
                start, size = 4, int.from_bytes(stream[1][2:4], "big")
            if len(stream[1]) < start + size:
                return
            opcode, payload = stream[1][0] & 15, stream[1][start : start + size]
            stream[1] = stream[1][start + size :]
            if opcode == 9:
                self.transport.write(http2_frame(DATA, 0, number, frame(10, payload)))
                stream[3].done() or stream[3].set_result(None)
            elif b'"subscribed"' in payload:
                stream[2].set_result(None)


async def measure(server, folder, count, on_each, tls):
    environment = {
        "HOME": str(folder),
        "FANFARE_TLS_LISTEN": "127.0.0.1:0",
        "FANFARE_TLS_CERT_FILE": str(folder / "tls.crt"),
        "FANFARE_TLS_KEY_FILE": str(folder / "tls.key"),
        "FANFARE_DEADLINES_PING_INTERVAL": f"{PING_INTERVAL_S}s",
        "FANFARE_DEADLINES_PONG": f"{PING_INTERVAL_S}s",
        "FANFARE_LOG_FILTER": "error",
    }
    process = subprocess.Popen(
        [server, "serve", "--listen", "127.0.0.1:0", "--insecure"], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        said = ""
        while "\n\n" not in said:
            line = process.stdout.readline()
            assert line, "the server ended"
            said += line
        host, port = re.search(("https" if tls else "http") + r"://([\d.]+):(\d+)", said).groups()
        context = ssl.create_default_context(cafile=folder / "tls.crt") if tls else None
        name = "localhost" if tls else None
        if tls:
            context.set_alpn_protocols(["h2"])
        loop = asyncio.get_running_loop()
        connections = []

        async def seat(first, streams):
            rooms = [f"room:{(first + n) // ROOM_MEMBERS}" for n in range(streams)]
            make = lambda: Connection(rooms)
            _, connection = await loop.create_connection(make, host, int(port), ssl=context, server_hostname=name)
            await asyncio.gather(*(stream[2] for stream in connection.streams.values()))
            connections.append(connection)

        # The allocator, the runtime and the tables have their first size before anything is counted.
        for index in range(20):
            await seat(index, 1)
        before = rss_kib(process.pid)
        for start in range(20, count + 20, on_each):
            await seat(start, on_each)
        await asyncio.gather(*(future for connection in connections for future in connection.futures()))
        after = rss_kib(process.pid)
        for connection in connections:
            connection.transport.abort()
        return {"before_kib": before, "after_kib": after, "kib_per_stream": round((after - before) / count, 3)}
    finally:
        process.kill()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=3000)
    parser.add_argument("--server", default="target/release/fanfare")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make_certificate(folder)
        for name, on_each, tls in (("hundred_each", STREAMS_MAX, False), ("one_each", 1, False), ("one_each_tls", 1, True)):
            rows[name] = asyncio.run(measure(arguments.server, folder, arguments.streams, on_each, tls))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    date = datetime.date.today().isoformat()
    result = {"date": date, "commit": commit, "machine": machine(), "streams": arguments.streams, **rows}
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if arguments.write:
        pathlib.Path(f"benches/results/{date}-idle-http2-{commit[:10]}.json").write_text(text)


if __name__ == "__main__":
    main()
