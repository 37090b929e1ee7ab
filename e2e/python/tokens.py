"""The Python package `websockets`, which knows nothing of this project, with tokens.

    python tokens.py ws://127.0.0.1:8000/ws GOOD_TOKEN EXPIRED_TOKEN TOKEN_FOR_THE_BOARD
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scenario import ask, take


async def roads(url, good, _old, _board):
    """Query, header, subprotocol and first message."""
    openings = [
        connect(f"{url}?token={good}"),
        connect(url, additional_headers={"Authorization": f"Bearer {good}"}),
        connect(url, subprotocols=["fanfare.native", f"auth.{good}"]),
    ]
    for opening in openings:
        async with opening as line:
            reply = await ask(line, {"type": "connect", "id": 1})
            assert reply["user_id"] == "ann", reply
            assert line.subprotocol in (None, "fanfare.native"), line.subprotocol
    async with connect(url) as line:
        reply = await ask(line, {"type": "auth", "id": 1, "token": good})
        assert (reply["type"], reply["user_id"]) == ("authenticated", "ann"), reply


async def refusals(url, _good, old, _board):
    """401 ahead of the upgrade, close 4001 after it."""
    try:
        async with connect(f"{url}?token={old}"):
            raise AssertionError("the connection should be refused")
    except InvalidStatus as refused:
        body = json.loads(refused.response.body)
        assert (refused.response.status_code, body["error"]["code"]) == (401, "token_expired"), body
    async with connect(url) as line:
        await line.send(json.dumps({"type": "auth", "token": old}))
        assert (await take(line, "error"))["code"] == "token_expired"
        try:
            while True:
                await line.recv()
        except ConnectionClosed as closed:
            assert closed.rcvd is not None and closed.rcvd.code == 4001, closed


async def private_channel(url, good, _old, board):
    """A name that begins with $ takes a token that names it."""
    async with connect(f"{url}?token={good}") as line:
        subscribe = {"type": "subscribe", "channel": "chat:$board"}
        denied = await ask(line, {**subscribe, "id": 1})
        assert denied["code"] == "permission_denied", denied
        reply = await ask(line, {**subscribe, "id": 2, "token": board})
        assert reply["type"] == "subscribed", reply


async def main(url, *tokens):
    for scenario in (roads, refusals, private_channel):
        async with asyncio.timeout(60):
            await scenario(url, *tokens)
        print(f"ok {scenario.__name__}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
