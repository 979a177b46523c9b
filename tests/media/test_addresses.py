"""Addresses of media: names in c= lines, and our own address on the way to a peer."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from sipstack.errors import NegotiationError
from sipstack.media import addresses
from sipstack.media.addresses import LOOKUPS, is_ours, local_address, resolve

V4, V6 = socket.AF_INET, socket.AF_INET6


class SilentNames:
    """A name server that answers when the test lets it."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer = threading.Event()

    def getaddrinfo(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        self.asked += 1
        self.answer.wait(10)
        return [(V4, socket.SOCK_DGRAM, 17, "", ("192.0.2.7", port))]


async def test_an_address_needs_no_thread() -> None:
    assert await resolve("192.0.2.1", 4000, V4) == ("192.0.2.1", 4000)
    assert (await resolve("2001:db8::1", 4000, V6))[:2] == ("2001:db8::1", 4000)
    for host, family in [("2001:db8::1", V4), ("192.0.2.1", V6), ("300.1.1.1", V4)]:
        with pytest.raises(NegotiationError, match="no way to send media"):
            await resolve(host, 4000, family)


async def test_names_do_not_occupy_the_threads_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty offers with c=IN IP4 name, and a name of our own."""
    names = SilentNames()
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    monkeypatch.setattr(addresses, "PATIENCE", 0.1)
    tasks = [asyncio.create_task(resolve("slow.example.com", 4000, V4)) for _ in range(30)]
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: "ours") == "ours"
        outcomes = [str(outcome) for outcome in await asyncio.gather(*tasks, return_exceptions=True)]
    assert names.asked == LOOKUPS
    assert sum("not found in time" in outcome for outcome in outcomes) == LOOKUPS
    assert sum("too many names" in outcome for outcome in outcomes) == 30 - LOOKUPS
    names.answer.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await resolve("fast.example.com", 4000, V4) == ("192.0.2.7", 4000)
                break
            except NegotiationError:  # the threads are about to end
                await asyncio.sleep(0.01)


def test_our_address_on_the_way_to_another() -> None:
    assert local_address("127.0.0.1") == "127.0.0.1"
    assert local_address("::1") == "::1"
    assert local_address("no address") is None
    assert local_address("localhost") is None  # names are not looked up


def test_which_addresses_are_ours() -> None:
    assert [is_ours(address) for address in ("127.0.0.1", "::1", "192.0.2.77", "no address")] == [
        True,
        True,
        False,
        False,
    ]
