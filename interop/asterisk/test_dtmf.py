"""Digits to Asterisk and back, by each way that it has."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.agents import AgentFactory
from sipstack.media.dtmf import Digit, Dtmf
from sipstack.media.session import AudioSession


@pytest.mark.parametrize(
    ("endpoint", "way", "beside"),
    [
        ("open", "rtp", ("telephone-event",)),
        ("info", "info", ()),
        ("inband", "inband", ()),
    ],
)
async def test_digits_come_back_the_way_they_went(
    agent: AgentFactory, endpoint: str, way: str, beside: tuple[str, ...]
) -> None:
    async with agent(endpoint) as alice, asyncio.timeout(30):
        target = alice.aor.replace(f":{endpoint}@", ":digits@")
        async with alice.call(target, media=lambda host: AudioSession(host, beside=beside)) as call:
            heard = asyncio.ensure_future(_all_digits(call.dtmf))
            await asyncio.sleep(0.5)
            await call.dtmf.send("1590", way=way)  # type: ignore[arg-type]
            digits = await heard
    assert "".join(digits) == "1590"
    assert {digit.way for digit in digits} == {way}


async def _all_digits(dtmf: Dtmf) -> list[Digit]:
    return [digit async for digit in dtmf]
