#!/usr/bin/env python3
"""Resident memory per idle subscribed connection, with TLS and without it.

    benches/idle_tls.py [--connections 3000] [--server target/release/fanfare] [--write]

Starts the server with a certificate made for the occasion, opens the connections without TLS, measures, closes them,
and does the same over TLS with a server that is new. Ten connections share a channel; each has had one protocol ping
and answered it before the server's size is read. With --write the numbers go to benches/results.
"""

import argparse
import asyncio
import datetime
import json
import os
import pathlib
import platform
import re
import ssl
import subprocess
import tempfile

ROOM_MEMBERS = 10
PING_INTERVAL_S = 5
UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(opcode, payload):
    assert len(payload) < 126
    return bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


class Subscriber(asyncio.Protocol):
    """Subscribes to one channel and answers pings."""

    def __init__(self, room):
        self.room, self.buffer, self.open = room, b"", False
        self.subscribed = asyncio.get_running_loop().create_future()
        self.pinged = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(UPGRADE.encode())

    def connection_lost(self, error):
        for future in (self.subscribed, self.pinged):
            if not future.done():
                future.set_exception(error or ConnectionError("closed"))

    def data_received(self, data):
        self.buffer += data
        if not self.open:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.open, self.buffer = True, rest
            message = json.dumps({"type": "subscribe", "channel": self.room}).encode()
            self.transport.write(frame(1, message))
        while len(self.buffer) >= 2:
            start, size = 2, self.buffer[1]
            if size == 126:
                start, size = 4, int.from_bytes(self.buffer[2:4], "big")
            if len(self.buffer) < start + size:
                return
            opcode, payload = self.buffer[0] & 15, self.buffer[start : start + size]
            self.buffer = self.buffer[start + size :]
            if opcode == 9:
                self.transport.write(frame(10, payload))
                self.pinged.done() or self.pinged.set_result(None)
            elif b'"subscribed"' in payload:
                self.subscribed.set_result(None)


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


async def measure(server, folder, tls, count):
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
        loop = asyncio.get_running_loop()
        subscribers = []

        async def seat(index):
            make = lambda: Subscriber(f"room:{index // ROOM_MEMBERS}")
            _, one = await loop.create_connection(make, host, int(port), ssl=context, server_hostname=name)
            await one.subscribed
            subscribers.append(one)

        # The allocator, the runtime and the tables have their first size before anything is counted.
        await asyncio.gather(*(seat(index) for index in range(20)))
        before = rss_kib(process.pid)
        for start in range(20, count + 20, 50):
            await asyncio.gather(*(seat(index) for index in range(start, min(start + 50, count + 20))))
        await asyncio.gather(*(one.pinged for one in subscribers))
        after = rss_kib(process.pid)
        for one in subscribers:
            one.transport.abort()
        return {"before_kib": before, "after_kib": after, "kib_per_connection": round((after - before) / count, 3)}
    finally:
        process.kill()
        process.wait()


def make_certificate(folder):
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "tls.key", "-out", folder / "tls.crt"]
    subprocess.run(["openssl", *make.split(), *files], check=True, stderr=subprocess.DEVNULL)


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"cpu": model[1] if model else "", "cores": os.cpu_count(), "kernel": platform.release()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=3000)
    parser.add_argument("--server", default="target/release/fanfare")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make_certificate(folder)
        rows = {}
        for tls in (False, True):
            row = asyncio.run(measure(arguments.server, folder, tls, arguments.connections))
            rows["tls" if tls else "plain"] = row
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    date = datetime.date.today().isoformat()
    result = {"date": date, "commit": commit, "machine": machine(), "connections": arguments.connections, **rows}
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if arguments.write:
        pathlib.Path(f"benches/results/{date}-idle-tls-{commit[:10]}.json").write_text(text)


if __name__ == "__main__":
    main()
