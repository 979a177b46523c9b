"""Calls whose user agent was killed go on in another one that has its keys, and nothing else of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipstack import LocalProtocolError, RequestFailed
from sipstack.store.sealed import Sealed
from tests.ua.resumption import Resumption
from tests.ua.test_resumed_media import SDES, both_hear, described

pytestmark = pytest.mark.virtual_time
KEYS = [bytes(range(32))]


def stage(**options: Any) -> Resumption:
    """Bob leaves his calls with their peers."""
    scene = Resumption(**options)
    scene.options["sessions"] = Sealed(KEYS, clock=lambda: 1_800_000_000.0 + scene.world.now)
    return scene


async def test_the_bye_of_the_peer_is_answered() -> None:
    async with stage().again() as (call, bob):
        await call.hang_up()
        assert (await call.ended()).by == "local"
        assert bob.calls == []


async def test_hold_and_resume_by_the_peer_are_answered_though_nobody_has_asked_for_the_call() -> None:
    async with stage().again() as (call, bob):
        await call.hold()
        await call.resume()
        (resumed,) = bob.calls
        assert resumed.resumed
        await call.hang_up()
        await asyncio.sleep(1)
        assert bob.calls == []


async def test_the_handler_gets_the_call_with_its_data_and_its_age_once_the_peer_asks_for_something() -> None:
    scene = stage()
    scene.notes["ticket"] = 4711
    async with scene.again(on_resume=scene.take) as (call, _):
        await asyncio.sleep(100)
        assert scene.resumed == []
        await call.hold()
        (resumed,) = scene.resumed
        assert dict(resumed.data) == {"ticket": 4711}
        assert resumed.duration == pytest.approx(call.duration, abs=2)


async def test_a_handler_that_returns_hangs_up() -> None:
    async def refuse(call: object) -> None:
        pass

    async with stage(on_resume=refuse).again() as (call, _):
        with pytest.raises(RequestFailed, match="487"):
            await call.hold()
        assert (await asyncio.wait_for(call.ended(), 5)).by == "remote"


async def test_nobody_can_list_what_the_peers_have() -> None:
    async with stage().again() as (_, bob):
        with pytest.raises(LocalProtocolError, match="their peers"):
            await bob.sessions()


async def test_audio_goes_on_at_the_same_port_once_the_peer_asks_for_something() -> None:
    scene = stage(audio={})
    async with scene.again(on_resume=scene.take) as (call, _):
        before = described(call)[1].media[0].port
        await call.hold()
        await call.resume()
        (resumed,) = scene.resumed
        assert described(call)[1].media[0].port == before
        await both_hear(call, resumed)


async def test_a_secured_call_has_new_keys_before_it_is_heard_again() -> None:
    pytest.importorskip("pylibsrtp", reason="SDES needs pylibsrtp")
    scene = stage(audio=SDES)
    async with scene.again(on_resume=scene.take) as (call, _):
        before = described(call)[1].media[0].attribute_values("crypto")
        await call.hold()
        await call.resume()
        (resumed,) = scene.resumed
        after = described(call)[1].media[0].attribute_values("crypto")
        assert before
        assert not {key.split("inline:")[1] for key in before} & {key.split("inline:")[1] for key in after}
        await both_hear(call, resumed)
