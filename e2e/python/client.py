"""Clients in Python that come back whenever they lose the line, and miss nothing.

    python client.py frames|events http://127.0.0.1:8000/ TOKEN CHANNEL

`frames` is the package `websockets`, `events` nothing but Python's own library. What they hear goes to the standard
output, a message on each line; each line of the standard input is sent.
"""

import asyncio
import http.client
import json
import sys
import threading
import time
import urllib.parse
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


def tell(message):
    print(json.dumps(message), flush=True)


def begin(url, token):
    """Begins a session and tells what it is called."""
    request = urllib.request.Request(f"{url}session", b"", {"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)["session"]


async def frames(url, session):
    """The package's own iterator comes back by itself, but always to the same address; this one says where it was."""
    seen = 0
    line = None

    async def read():
        nonlocal seen, line
        address = url.replace("http", "ws") + f"ws?session={session}&seen="
        while True:
            try:
                async with connect(address + str(seen)) as line:
                    tell({"type": "opened"})
                    async for text in line:
                        seen += 1
                        tell(json.loads(text))
            except (OSError, ConnectionClosed):
                pass
            # As a client does that is not to knock without pause; nothing waits for this to pass.
            await asyncio.sleep(0.1)

    reading = asyncio.create_task(read())
    while text := await asyncio.to_thread(sys.stdin.readline):
        await line.send(text)
    reading.cancel()


def events(url, session):
    """Server-sent events are lines: `id: 7`, `data: {…}` and an empty one."""
    host = urllib.parse.urlsplit(url).netloc

    def read():
        last = "0"
        while True:
            connection = http.client.HTTPConnection(host)
            try:
                connection.request("GET", f"/sse?session={session}", headers={"Last-Event-ID": last})
                response = connection.getresponse()
                if response.status != 200:
                    raise http.client.HTTPException(response.status)
                tell({"type": "opened"})
                for line in response:
                    field, _, value = line.decode().rstrip("\n").partition(": ")
                    if field == "id":
                        last = value
                    elif field == "data":
                        tell(json.loads(value))
            except (OSError, http.client.HTTPException):
                pass
            connection.close()
            time.sleep(0.1)

    threading.Thread(target=read, daemon=True).start()
    for text in sys.stdin:
        request = urllib.request.Request(f"{url}send?session={session}", text.encode(), {"Content-Type": "text/plain"})
        urllib.request.urlopen(request).close()


def main(kind, url, token, _channel):
    session = begin(url, token)
    if kind == "frames":
        asyncio.run(frames(url, session))
    else:
        events(url, session)


if __name__ == "__main__":
    main(*sys.argv[1:])
