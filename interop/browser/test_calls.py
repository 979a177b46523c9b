"""Calls between SIP.js or JsSIP in a browser and us, over its connection to our secure WebSocket."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.listening import TIMEOUT, eventually, hear_tone, next_call
from interop.browser.pair import OUR_TONE, THEIR_TONE, US, Phones
from sipstack import Call, CallRejected, Invitation
from sipstack.media.webrtc.path import LINGER

CODECS = pytest.mark.parametrize("codec", ["opus", "PCMU"])


@CODECS
async def test_the_page_calls_us(pair: Phones, codec: str) -> None:
    async with pair.called_by_page() as call:
        await pair.both_are_heard(call)
        assert call.codec == codec
        assert (call.security or "").startswith("DTLS-SRTP A")
        await pair.page.call("phone.hangUp")
        assert (await call.ended()).by == "remote"


@CODECS
async def test_we_call_the_page(pair: Phones, codec: str) -> None:
    async with pair.calling_page() as call:
        await pair.both_are_heard(call)
        assert call.codec == codec
        await call.hang_up()
        await pair.page_is("ended")


@pytest.mark.parametrize("codec", [None])
async def test_a_user_agent_that_was_told_nothing_of_media_takes_the_call(pair: Phones, codec: None) -> None:
    for _ in range(2):  # the ports are used again
        async with pair.called_by_page() as call:
            await pair.both_are_heard(call)
            assert (call.codec, bool(call.security)) == ("PCMU", True)


@pytest.mark.parametrize("library", ["sipjs"])
async def test_a_page_speaks_by_its_microphone(pair: Phones) -> None:
    await pair.page.call("phone.stop")
    await pair.connect(frequency=None)
    async with pair.called_by_page() as call:
        await pair.both_are_heard(call)


async def test_we_hang_up_on_a_page_that_called(pair: Phones) -> None:
    async with pair.called_by_page() as call:
        await hear_tone(call.audio, THEIR_TONE)
        await call.hang_up()
        await pair.page_is("ended")


async def test_the_page_hangs_up_on_us_who_called(pair: Phones) -> None:
    async with pair.calling_page() as call:
        await hear_tone(call.audio, THEIR_TONE)
        await pair.page.call("phone.hangUp")
        assert (await call.ended()).by == "remote"


# Hold


async def test_the_page_holds_and_resumes(pair: Phones) -> None:
    async with pair.called_by_page() as call:
        await pair.both_are_heard(call)
        assert await pair.page.call("phone.hold") == 200
        await eventually(lambda: call.remote_held)
        await pair.page_hears(0)
        assert await pair.page.call("phone.resume") == 200
        await eventually(lambda: not call.remote_held)
        await pair.both_are_heard(call)


@pytest.mark.parametrize("library", ["jssip"])  # SIP.js has no UPDATE
async def test_the_page_holds_and_resumes_by_update(pair: Phones) -> None:
    async with pair.called_by_page() as call:
        await pair.both_are_heard(call)
        assert await pair.page.call("phone.hold", "update") == 200
        await eventually(lambda: call.remote_held)
        await pair.page_hears(0)
        assert await pair.page.call("phone.resume", "update") == 200
        await pair.both_are_heard(call)


async def test_we_hold_and_resume(pair: Phones) -> None:
    """Who is held hears what we say to it, and is not heard."""
    async with pair.calling_page() as call:
        await pair.both_are_heard(call)
        await call.hold()
        await pair.page_hears(OUR_TONE)
        before = call.statistics.packets_received
        await asyncio.sleep(0.3)
        assert call.statistics.packets_received <= before + 2  # a last one may have been on its way
        await call.resume()
        await pair.both_are_heard(call)


# Digits


@pytest.mark.parametrize(("codec", "way"), [("opus", "rtp"), ("PCMU", "rtp"), ("opus", "info")])
async def test_the_page_presses_keys(pair: Phones, codec: str, way: str) -> None:
    """By RTCDTMFSender (RFC 4733 at the clock rate of the codec), and by INFO."""
    async with pair.called_by_page() as call:
        await hear_tone(call.audio, THEIR_TONE)
        await pair.page.call("phone.press", "159#", way)
        async with asyncio.timeout(TIMEOUT):
            digits = [await call.dtmf.get() for _ in range(4)]
        assert digits == ["1", "5", "9", "#"]
        assert {digit.way for digit in digits} == {way}
        assert all(abs(digit.duration - 0.1) < 0.05 for digit in digits)
        await pair.both_are_heard(call)


async def test_we_press_keys(pair: Phones) -> None:
    """By INFO it tells the script; of RFC 4733 a browser makes the tones that its user hears."""
    async with pair.called_by_page() as call:
        await pair.both_are_heard(call)
        await call.dtmf.send("159#", way="info", gap=0.02)
        assert await pair.page.call("phone.pressed") == "159#"
        async with asyncio.TaskGroup() as group:
            group.create_task(call.dtmf.send("5", way="rtp", duration=1.5))
            await pair.page_hears(770, 600, 1000)
            await pair.page_hears(1336, 1100, 1700)
        await pair.both_are_heard(call)
        assert await pair.page.call("phone.pressed") == "159#"


# No call


@pytest.mark.parametrize("status", [486, 603])
async def test_we_refuse_the_page(pair: Phones, status: int) -> None:
    async def refuse(invitation: Invitation) -> None:
        await invitation.reject(status)

    async with pair.ua.serving(refuse):
        assert await pair.page.call("phone.call", US) == status


async def test_the_page_is_busy(pair: Phones) -> None:
    async with pair.ua.invite(pair.contact) as outgoing:
        await pair.page_is("ringing")
        await pair.page.call("phone.refuse", 486)
        with pytest.raises(CallRejected) as refused:
            await outgoing.answered()
    assert refused.value.status == 486


async def test_the_page_gives_up_before_we_answer(pair: Phones) -> None:
    rings = asyncio.Event()
    cancelled = asyncio.Event()

    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        rings.set()
        try:
            await asyncio.sleep(60)
        finally:
            if invitation.cancelled:
                cancelled.set()

    async with pair.ua.serving(ring):
        await pair.page.call("phone.dial", US)
        async with asyncio.timeout(TIMEOUT):
            await rings.wait()
            await pair.page.call("phone.hangUp")
            await cancelled.wait()
        await pair.page_is("ended")


async def test_we_give_up_before_the_page_answers(pair: Phones) -> None:
    async with pair.ua.invite(pair.contact) as outgoing:
        await pair.page_is("ringing")
        await outgoing.cancel()
        await pair.page_is("ended")
        with pytest.raises(CallRejected) as refused:
            await outgoing.answered()
    assert refused.value.status == 487


# Another network


async def test_the_page_begins_ice_anew_in_a_call_of_ours(pair: Phones) -> None:
    """As after a change of its network. Chromium wants to choose the pair then, as RFC 5245 had it, and so do
    we, who began the call (RFC 8445 §9): ICE settles that by a 487.
    """
    async with pair.calling_page() as call:
        await pair.both_are_heard(call)
        assert await pair.page.call("phone.restart") == 200
        await pair.both_are_heard(call)
        await asyncio.sleep(LINGER + 0.2)  # the way that it had before is closed
        await pair.both_are_heard(call)


# Descriptions in other places


async def test_the_page_is_called_without_an_offer_and_makes_one(pair: Phones) -> None:
    async with pair.ua.invite(pair.contact, offer=False) as outgoing:
        await pair.page_is("ringing")
        await pair.page.call("phone.answer")
        call = await outgoing.answered()
        async with call.playing(pair.beep, loop=True):
            await pair.both_are_heard(call)


async def test_the_page_hears_us_before_we_answer(pair: Phones) -> None:
    """The answer is in a 183, for SIP.js a reliable one; JsSIP takes that in the 200 for another answer."""
    may_answer = asyncio.Event()
    calls: asyncio.Queue[Call] = asyncio.Queue()

    async def announce(invitation: Invitation) -> None:
        await invitation.progress(183, early_media=True)
        async with invitation.audio.playing(pair.beep, loop=True):
            await may_answer.wait()
        async with invitation.accept() as call, call.playing(pair.beep, loop=True):
            calls.put_nowait(call)
            await call.ended()

    async with pair.ua.serving(announce):
        await pair.page.call("phone.dial", US)
        await pair.page_hears(OUR_TONE)
        assert await pair.page.call("phone.stands") == "calling"
        may_answer.set()
        call = await next_call(calls)
        await pair.both_are_heard(call)
        await call.hold()
        await call.resume()
        await pair.both_are_heard(call)
