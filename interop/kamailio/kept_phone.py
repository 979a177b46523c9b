"""A phone in a process of its own, to be killed: it registers, tells what the registrar has, and stays.

``python -m interop.kamailio.kept_phone PROXY [FILE]``: with FILE its registration is kept there. Each 200 to
a REGISTER of it is a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

from interop.kamailio.agents import LISTEN, uri
from sipstack import TracedMessage, UserAgent
from sipstack.message import parse
from sipstack.store.sqlite import SqliteStore


def tell(traced: TracedMessage) -> None:
    if traced.sent or not traced.data.startswith(b"SIP/2.0 200 "):
        return
    message = parse(traced.data)
    if message.cseq.method == "REGISTER":
        told = {
            "contacts": [str(contact.uri) for contact in message.contacts],
            "call_id": message.call_id,
            "cseq": message.cseq.number,
        }
        print(json.dumps(told), flush=True)  # noqa: T201


async def main(proxy: str, file: str | None) -> None:
    store = None if file is None else SqliteStore(file)
    phone = UserAgent(
        uri("kept"), password="secret", proxy=proxy, listen=LISTEN, sessions=store, node="phone", trace=tell
    )
    async with phone, phone.register(expires=120):
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
