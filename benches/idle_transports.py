#!/usr/bin/env python3
"""Resident memory per idle connection with one subscription, for each transport.

    benches/idle_transports.py [--connections 2000] [--server target/release/fanfare] [--only NAME] [--commit C] [--write]

Each row has a server of its own. Ten connections share a channel; each has shown or been shown one sign of life before
the server's size is read, except where a row says that it waits. With --write the numbers go to benches/results.
"""

import argparse
import asyncio
import datetime
import json
import pathlib
import re
import subprocess
import tempfile

from idle_tls import PING_INTERVAL_S, ROOM_MEMBERS, UPGRADE, frame, machine, rss_kib

AT_ONCE = 50
WARM = 100


async def head(reader):
    text = await reader.readuntil(b"\r\n\r\n")
    status = int(text.split(b" ")[1])
    length = re.search(rb"(?i)content-length: (\d+)", text)
    return status, int(length[1]) if length else 0


class Control:
    """Requests one after the other on one connection."""

    async def open(self, host, port):
        self.reader, self.writer = await asyncio.open_connection(host, port)
        self.lock = asyncio.Lock()
        return self

    async def ask(self, line, body=b""):
        async with self.lock:
            self.writer.write(f"{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            status, length = await head(self.reader)
            body = await self.reader.readexactly(length)
            assert status < 300, (status, body)
            return json.loads(body)

    async def begin(self, room):
        session = (await self.ask("POST /session"))["session"]
        await self.subscribe(session, room)
        return session

    async def subscribe(self, session, room):
        await self.ask(f"POST /send?session={session}", json.dumps({"type": "subscribe", "channel": room}).encode())


class Line:
    """One connection, and how far its conversation has come."""

    def __init__(self, host, port, control, room):
        self.host, self.port, self.control, self.room = host, port, control, room

    async def connect(self, request):
        # A small buffer: with thousands of connections the client is the larger one.
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=8192)
        self.writer.write(request.encode())
        return await head(self.reader)

    async def get(self, target):
        assert (await self.connect(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"))[0] == 200

    async def until(self, word):
        while word not in await self.reader.readline():
            pass

    async def alive(self):
        pass

    def drop(self):
        self.writer.transport.abort()


class WebSocket(Line):
    """Frames of the native protocol in JSON, on a connection of its own or for a session."""

    path, offer = "/ws", ""

    def subscribe(self):
        return frame(1, json.dumps({"type": "subscribe", "channel": self.room}).encode())

    async def seat(self):
        request = UPGRADE.replace("/ws", self.path, 1)
        if self.offer:
            request = request.replace("\r\n\r\n", f"\r\nSec-WebSocket-Protocol: {self.offer}\r\n\r\n")
        assert (await self.connect(request))[0] == 101
        self.writer.write(self.subscribe())
        await self.frame_of(1, 2)

    async def frame_of(self, *opcodes):
        while True:
            first, size = await self.reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            payload = await self.reader.readexactly(size)
            if first & 15 in opcodes:
                return payload

    async def alive(self):
        self.writer.write(frame(10, await self.frame_of(9)))


class Protobuf(WebSocket):
    offer = "fanfare.native.protobuf"

    def subscribe(self):
        room = self.room.encode()
        topic = b"\x0a" + bytes([len(room)]) + room
        subscribe = b"\x0a" + bytes([len(topic)]) + topic
        return frame(2, b"\x2a" + bytes([len(subscribe)]) + subscribe)


class Carried(WebSocket):
    async def seat(self):
        self.path = f"/ws?session={(await self.control.ask('POST /session'))['session']}"
        await super().seat()


class Listening(Line):
    """A response without an end for a channel."""

    target, beat = "/sse", b":\n"

    async def seat(self):
        await self.get(f"{self.target}?channels={self.room}")
        await self.until(b'"subscribed"')

    async def alive(self):
        while await self.reader.readline() != self.beat:
            pass


class ListeningLines(Listening):
    target, beat = "/stream", b"\n"


class Session(Listening):
    async def seat(self):
        await self.get(self.target)
        text = b""
        while b'"session"' not in text:
            text = await self.reader.readline()
        await self.control.subscribe(re.search(rb'"session":"([^"]+)"', text)[1].decode(), self.room)
        await self.until(b'"subscribed"')


class SessionLines(Session):
    target, beat = "/stream", b"\n"


class Poll(Line):
    """A poll that waits; what came before was answered to another one."""

    async def seat(self):
        session = await self.control.begin(self.room)
        seen = (await self.control.ask(f"GET /poll?session={session}"))["seen"]
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=8192)
        self.writer.write(f"GET /poll?session={session}&seen={seen} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


class Waiting(Line):
    """A session that nothing carries."""

    async def seat(self):
        session = await self.control.begin(self.room)
        await self.control.ask(f"GET /poll?session={session}")

    def drop(self):
        pass




def plain(dialect, join=None):
    """A WebSocket in a plain dialect, by what it says to be in a room; where it says nothing, its address does."""

    class Plain(WebSocket):
        async def seat(self):
            path = f"/ws/{dialect}" if join else f"/ws/{dialect}/{self.room}"
            assert (await self.connect(UPGRADE.replace("/ws", path, 1)))[0] == 101
            if join:
                self.writer.write(frame(1, json.dumps(join(self.room)).encode()))
                while b"join" not in await self.frame_of(1):
                    pass

    return Plain


ROWS = {
    "websocket native json": WebSocket,
    "websocket native protobuf": Protobuf,
    "websocket rooms": plain("rooms", lambda room: {"type": "join", "room": room}),
    "websocket envelope": plain("envelope", lambda room: {"type": "join", "payload": room}),
    "websocket topics": plain("topics", lambda room: {"type": "join", "roomId": room}),
    "websocket chat": plain("chat"),
    "websocket raw": plain("raw"),
    "websocket with a session": Carried,
    "sse with a session": Session,
    "sse alone": Listening,
    "stream with a session": SessionLines,
    "stream alone": ListeningLines,
    "poll that waits": Poll,
    "session that nothing carries": Waiting,
}


async def measure(server, kind, count, home):
    interval = "10m" if kind in (Poll, Waiting) else f"{PING_INTERVAL_S}s"
    environment = {
        "HOME": home,
        "FANFARE_DEADLINES_PING_INTERVAL": interval,
        "FANFARE_DEADLINES_PONG": f"{PING_INTERVAL_S}s",
        "FANFARE_LOG_FILTER": "error",
    }
    command = [server, "serve", "--listen", "127.0.0.1:0", "--insecure"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    lines = []
    try:
        said = ""
        while "\n\n" not in said:
            line = process.stdout.readline()
            assert line, "the server ended"
            said += line
        host, port = re.search(r"http://([\d.]+):(\d+)", said).groups()
        controls = [await Control().open(host, int(port)) for _ in range(8)]

        async def seat(index):
            room = f"room:{index // ROOM_MEMBERS}"
            line = kind(host, int(port), controls[index % len(controls)], room)
            await line.seat()
            lines.append(line)

        # The allocator, the runtime and the tables have their first size before anything is counted.
        for start in range(0, WARM, AT_ONCE):
            await asyncio.gather(*(seat(index) for index in range(start, start + AT_ONCE)))
        before = rss_kib(process.pid)
        for start in range(WARM, WARM + count, AT_ONCE):
            await asyncio.gather(*(seat(index) for index in range(start, min(start + AT_ONCE, WARM + count))))
        await asyncio.gather(*(line.alive() for line in lines))
        after = rss_kib(process.pid)
        return {"before_kib": before, "after_kib": after, "kib_per_connection": round((after - before) / count, 3)}
    finally:
        for line in lines:
            line.drop()
        process.kill()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--server", default="target/release/fanfare")
    parser.add_argument("--only")
    parser.add_argument("--profile", default="release", help="how the server was built")
    parser.add_argument("--commit", default="HEAD", help="what the server was built from")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    rows = {}
    for name, kind in ROWS.items():
        if arguments.only in (None, name):
            with tempfile.TemporaryDirectory() as home:
                rows[name] = asyncio.run(measure(arguments.server, kind, arguments.connections, home))
            print(f"{name:32} {rows[name]['kib_per_connection']:8.3f} KiB", flush=True)
    commit = subprocess.run(["git", "rev-parse", arguments.commit], check=True, capture_output=True, text=True).stdout.strip()
    date = datetime.date.today().isoformat()
    result = {"date": date, "commit": commit, "profile": arguments.profile, "machine": machine()}
    result |= {"connections": arguments.connections, "rows": rows}
    if arguments.write:
        path = pathlib.Path(f"benches/results/{date}-idle-transports-{arguments.profile}-{commit[:10]}.json")
        path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
