"""The Python package `websockets`, which knows nothing of this project, against the native protocol.

    python scenario.py ws://127.0.0.1:8000/ws [compressed]

With the second argument, both ends have to agree to compress: this client offers it in any case.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def ask(line, message):
    """Sends a request and returns its answer, leaving out what comes between."""
    await line.send(json.dumps(message))
    async for text in line:
        answer = json.loads(text)
        if answer.get("id") == message["id"]:
            return answer
    raise AssertionError("closed before the answer")


async def take(line, kind):
    """The next message of this type."""
    async for text in line:
        message = json.loads(text)
        if message["type"] == kind:
            return message
    raise AssertionError(f"closed before {kind}")


async def conversation(url):
    """Subscribe, publish and receive; several messages; a fragmented one; pings of the protocol."""
    async with connect(f"{url}?user=ann") as ann, connect(f"{url}?user=boris") as boris:
        for line in (ann, boris):
            reply = await ask(line, {"type": "subscribe", "id": 1, "channel": "chat:python"})
            assert reply["type"] == "subscribed", reply
        for number in range(100):
            await ann.send(json.dumps({"type": "message", "channel": "chat:python", "data": number}))
        for line in (ann, boris):
            seen = [(await take(line, "message"))["data"] for _ in range(100)]
            assert seen == list(range(100)), seen
        await ann.send(['{"type":"publish","id":2,', '"channel":"chat:python",', '"data":"in three fragments"}'])
        message = await take(boris, "message")
        assert (message["from"], message["data"]) == ("ann", "in three fragments"), message
        await (await ann.ping(b"are you there?"))


async def bad_input(url):
    """Every refusal has a code, and only what breaks the protocol itself ends the connection."""
    async with connect(f"{url}?user=ann") as line:
        for text, code in [
            ("{", "invalid_json"),
            ("null", "invalid_message"),
            ('{"type":"dance"}', "unknown_type"),
            ('{"type":"subscribe"}', "missing_field"),
        ]:
            await line.send(text)
            error = json.loads(await line.recv())
            assert error["code"] == code, error
        await line.send(b"\x00\x01 binary is another dialect's")
        error = json.loads(await line.recv())
        assert error["code"] == "wrong_frame_kind", error
        assert (await ask(line, {"type": "ping", "id": 7}))["type"] == "pong"


async def closing(url):
    """Close codes: the client's own comes back; a message over the limit is 1009."""
    line = await connect(f"{url}?user=ann")
    await line.close(4321, "my own reason")
    assert line.close_code == 4321, line.close_code
    async with connect(f"{url}?user=ann") as line:
        await line.send("x" * (1024 * 1024))
        try:
            await line.recv()
            raise AssertionError("the connection should be closed")
        except ConnectionClosed as closed:
            assert closed.rcvd is not None and closed.rcvd.code == 1009, closed


async def main(url, compressed):
    async with connect(f"{url}?user=ann") as line:
        agreed = line.response.headers.get("Sec-WebSocket-Extensions", "")
        assert agreed.startswith("permessage-deflate") == compressed, agreed
    for scenario in (conversation, bad_input, closing):
        async with asyncio.timeout(60):
            await scenario(url)
        print(f"ok {scenario.__name__}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], "compressed" in sys.argv[2:]))
