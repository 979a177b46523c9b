"""The digits of a call, between two sessions on a wire in memory: every way, each press once."""

from __future__ import annotations

import asyncio
import gc

import attrs
import pytest

from sipstack.errors import CallEnded, LocalProtocolError, MediaError, RequestFailed
from sipstack.media.dtmf import KEPT, Digit, Dtmf, dtmf_of
from sipstack.media.formats import FormatsOfCall
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.message import Response
from sipstack.rtp.telephone_event import HANG, Press, TelephoneEvent
from sipstack.sdp import Direction
from tests.media.calls import Call, numbers, rtp_of, wired
from tests.media.wire import Wire

pytestmark = pytest.mark.virtual_time

EVENTS = 101


def without_events(wire: Wire, *, inband: str = "auto") -> Call:
    """Two sessions that have no telephone-event."""
    return Call(
        AudioSession("192.0.2.1", random=numbers(1), bind=wire.bind, beside=(), inband=inband),  # type: ignore[arg-type]
        AudioSession("192.0.2.2", random=numbers(2), bind=wire.bind, beside=(), inband=inband),  # type: ignore[arg-type]
    )


async def digits(dtmf: Dtmf, count: int) -> list[Digit]:
    async with asyncio.timeout(60):
        return [await dtmf.get() for _ in range(count)]


async def none_more(dtmf: Dtmf) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await dtmf.get()


# --- RFC 4733 ---


async def test_digits_go_both_ways_with_their_time_and_duration() -> None:
    wire = Wire(delay=0.05)
    async with wired(wire) as call:
        began = asyncio.get_running_loop().time()
        await asyncio.gather(call.alice.dtmf.send("159#"), call.bob.dtmf.send("2!", duration=0.2, gap=0.05))
        heard, back = await digits(call.bob.dtmf, 4), await digits(call.alice.dtmf, 2)
    assert "".join(heard) == "159#"
    assert [digit.value for digit in back] == ["2", "!"]
    assert {digit.way for digit in heard + back} == {"rtp"}
    assert [digit.duration for digit in heard + back] == pytest.approx([0.1] * 4 + [0.2] * 2)
    assert [digit.time - began for digit in heard] == pytest.approx([0.05, 0.25, 0.45, 0.65], abs=0.045)


async def test_the_packets_of_digits_among_those_of_the_audio() -> None:
    """RFC 4733 §2.1: one sequence of numbers, one clock; no audio while a key is down"""
    wire = Wire()
    async with wired(wire) as call:
        await asyncio.sleep(0.1)
        await call.alice.dtmf.send("12", duration=0.1, gap=0.1)
        await asyncio.sleep(0.1)
    packets = rtp_of(wire, "192.0.2.1")
    first = packets[0]
    assert [packet.sequence_number for packet in packets] == [
        first.sequence_number + number for number in range(len(packets))
    ]
    events = [packet for packet in packets if packet.payload_type == EVENTS]
    assert [packet.marker for packet in events] == [True] + [False] * 6 + [True] + [False] * 6
    one, two = sorted({packet.timestamp for packet in events})
    assert two - one == 1600
    audio = [packet for packet in packets if packet.payload_type == 0]
    assert all((packet.timestamp - first.timestamp) % 160 == 0 for packet in audio)
    behind = next(packet for packet in audio if packet.timestamp > two)
    assert behind.timestamp - two == 1600
    assert behind.marker


async def test_under_loss_jitter_and_duplicates_every_digit_comes_once_and_in_order() -> None:
    for seed in range(10):
        wire = Wire(seed=seed, delay=0.03, jitter=0.004, loss=0.1, duplicates=0.1)
        async with wired(wire) as call:
            await call.alice.dtmf.send("1122334455*#ABCD", duration=0.06, gap=0.06)
            assert "".join(await digits(call.bob.dtmf, 16)) == "1122334455*#ABCD"
            await none_more(call.bob.dtmf)


async def test_a_key_whose_ends_are_all_lost_is_told_after_a_silence() -> None:
    wire = Wire()
    async with wired(wire) as call:
        sending = asyncio.ensure_future(call.alice.dtmf.send("7", duration=1.0))
        await asyncio.sleep(0.31)
        wire.ports.clear()
        began = asyncio.get_running_loop().time()
        digit = await call.bob.dtmf.get()
        assert asyncio.get_running_loop().time() - began == pytest.approx(HANG, abs=0.021)
        assert digit == "7"
        assert 0.25 < digit.duration < 0.35
        await sending


async def test_a_call_that_ends_under_a_key_leaves_no_timer() -> None:
    wire = Wire()
    async with wired(wire) as call:
        sending = asyncio.ensure_future(call.alice.dtmf.send("7", duration=5.0))
        await asyncio.sleep(0.3)
        call.bob.audio.end(CallEnded("remote"))
        await asyncio.sleep(1)
        call.alice.audio.end(CallEnded("remote", "gone"))
        with pytest.raises(CallEnded, match="gone"):
            await sending
    timers = [each for each in vars(asyncio.get_running_loop()).get("_scheduled", []) if not each.cancelled()]
    assert [each for each in timers if "TelephoneEvents" in repr(each)] == []


async def test_cancelled_in_mid_digit_it_releases_the_key() -> None:
    wire = Wire()
    async with wired(wire) as call:
        sending = asyncio.ensure_future(call.alice.dtmf.send("123", duration=2.0))
        await asyncio.sleep(0.5)
        sending.cancel()
        digit = await call.bob.dtmf.get()
        assert (digit, sending.cancelled()) == ("1", True)
        assert digit.duration == pytest.approx(0.5, abs=0.041)
        await none_more(call.bob.dtmf)
        events = [packet for packet in rtp_of(wire, "192.0.2.1") if packet.payload_type == EVENTS]
        assert [TelephoneEvent.parse(each.payload).end for each in events[-4:]] == [False, True, True, True]
        assert rtp_of(wire, "192.0.2.1")[-1].payload_type == 0
        await call.alice.dtmf.send("4")
        assert await call.bob.dtmf.get() == "4"


async def test_two_tasks_that_send_do_not_mix_their_digits() -> None:
    async with wired(Wire()) as call:
        await asyncio.gather(call.alice.dtmf.send("111"), call.alice.dtmf.send("222"))
        assert "".join(await digits(call.bob.dtmf, 6)) == "111222"


async def test_while_the_call_is_held_digits_wait() -> None:
    async with wired(Wire()) as call:
        await call.describe(Direction.RECVONLY)
        sending = asyncio.ensure_future(call.alice.dtmf.send("5"))
        await asyncio.wait([sending], timeout=5)
        assert not sending.done()
        await call.describe()
        await sending
        assert await call.bob.dtmf.get() == "5"


async def test_digits_may_be_the_first_packets_that_come() -> None:
    """A gateway, or Asterisk's SendDTMF, says nothing before them."""
    wire = Wire()
    async with wired(wire) as call:
        await call.alice.dtmf.send("90")
        assert "".join(await digits(call.bob.dtmf, 2)) == "90"


@pytest.mark.parametrize("number", [97, 110])
async def test_the_peer_s_number_is_used(number: int) -> None:
    wire = Wire()
    bob = AudioSession("192.0.2.2", random=numbers(2), bind=wire.bind)
    offer = await AudioSession("192.0.2.1", random=numbers(1), bind=wire.bind).offer()
    text = bytes(offer).replace(b" 101", f" {number}".encode()).replace(b":101", f":{number}".encode())
    from sipstack import sdp

    answer = await bob.answer(sdp.parse(text))
    bob.confirmed()
    await bob.dtmf.send("1")
    assert answer.media[0].formats == ("0", str(number))
    assert number in {packet.payload_type for packet in rtp_of(wire, "192.0.2.2")}
    await bob.close()


# --- in-band ---


async def test_without_telephone_event_tones_are_played_and_found() -> None:
    wire = Wire()
    async with without_events(wire) as call:
        hearing = asyncio.ensure_future(digits(call.bob.dtmf, 3))
        await asyncio.sleep(0.2)
        await call.alice.dtmf.send("4D#", way="inband")
        heard = await hearing
    assert ("".join(heard), {digit.way for digit in heard}) == ("4D#", {"inband"})
    assert [digit.duration for digit in heard] == pytest.approx([0.1] * 3, abs=0.03)


async def looks_for_tones(call: Call) -> tuple[bool, bool]:
    """Whether it does before and after it was asked for a digit."""
    async with call:
        before = call.bob.audio.wanted
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await call.bob.dtmf.get()
        return before, call.bob.audio.wanted


async def test_nobody_looks_for_tones_until_somebody_asks() -> None:
    assert await looks_for_tones(without_events(Wire())) == (False, True)
    assert await looks_for_tones(wired(Wire())) == (False, False)  # RFC 4733 is agreed on
    assert await looks_for_tones(without_events(Wire(), inband="on")) == (True, True)
    assert await looks_for_tones(without_events(Wire(), inband="off")) == (False, False)


async def test_what_is_played_is_no_digit() -> None:
    async with without_events(Wire(), inband="on") as call:
        await call.alice.audio.play(sine(941.0, 2.0))
        await none_more(call.bob.dtmf)


async def test_flash_has_no_tone() -> None:
    async with without_events(Wire()) as call:
        with pytest.raises(LocalProtocolError, match="in-band '!' has no tones"):
            await call.alice.dtmf.send("1!", way="inband")


# --- one stream, each press once ---


def press(key: str, began: float, duration: float = 0.1) -> Press:
    return Press(key, began, duration)


@pytest.mark.parametrize(
    ("presses", "told"),
    [
        ([("rtp", "1", 0.0), ("info", "1", 0.1)], "1"),
        ([("info", "1", 0.0), ("rtp", "1", 0.1)], "1"),
        ([("inband", "1", 0.0), ("rtp", "1", 0.1)], "1"),
        ([("rtp", "1", 0.0), ("inband", "1", 0.1), ("info", "1", 0.6)], "1"),
        ([("rtp", "1", 0.0), ("inband", "1", 0.05), ("inband", "1", 0.2)], "1"),  # cut in two
        ([("rtp", "1", 0.0), ("info", "1", 0.05), ("rtp", "1", 0.2), ("info", "1", 0.25)], "11"),
        ([("rtp", "1", 0.0), ("rtp", "1", 0.2), ("info", "1", 0.3), ("info", "1", 0.5)], "11"),
        ([("info", "1", 0.0), ("info", "1", 0.2), ("rtp", "1", 0.3), ("rtp", "1", 0.5)], "11"),
        ([("rtp", "1", 0.0), ("info", "2", 0.1)], "12"),
        ([("rtp", "1", 0.0), ("info", "1", 2.0)], "11"),
        ([("rtp", "1", 0.0), ("rtp", "1", 0.2), ("rtp", "1", 0.4)], "111"),
        ([("info", "1", 0.0), ("info", "1", 0.2)], "11"),
        ([("inband", "1", 0.0), ("inband", "1", 0.2)], "11"),
    ],
)
async def test_a_press_that_comes_in_two_ways_is_one(
    presses: list[tuple[str, str, float]], told: str
) -> None:
    async with wired(Wire()) as call:
        for way, key, began in presses:
            call.bob.dtmf.pressed(press(key, began), way)  # type: ignore[arg-type]
        assert "".join(await digits(call.bob.dtmf, len(told))) == told
        await none_more(call.bob.dtmf)


async def test_rfc_4733_wins_over_info_that_is_faster_than_its_end() -> None:
    async with wired(Wire()) as call:
        sending = asyncio.ensure_future(call.alice.dtmf.send("8", duration=1.0))
        await asyncio.sleep(0.3)
        call.bob.dtmf.pressed(press("8", asyncio.get_running_loop().time()), "info")
        digit = await call.bob.dtmf.get()
        assert (digit, digit.way) == ("8", "rtp")
        assert digit.duration == pytest.approx(1.0)
        await none_more(call.bob.dtmf)
        await sending


async def test_events_and_the_tones_of_the_same_keys_are_told_once() -> None:
    wire = Wire(delay=0.02)
    call = wired(wire)
    call.bob = AudioSession("192.0.2.2", random=numbers(2), bind=wire.bind, inband="on")
    async with call:
        for key in "1122#":
            await asyncio.gather(call.alice.dtmf.send(key, duration=0.06), asyncio.sleep(0.12))
            await call.alice.dtmf.send(key, way="inband", duration=0.06, gap=0.06)
        heard = await digits(call.bob.dtmf, 5)
        await none_more(call.bob.dtmf)
    assert ("".join(heard), {digit.way for digit in heard}) == ("1122#", {"rtp"})


# --- taking them ---


async def test_digits_that_nobody_took_are_kept_and_then_the_oldest_is_lost() -> None:
    async with wired(Wire()) as call:
        for number in range(KEPT + 6):
            call.bob.dtmf.pressed(press(str(number % 10), number * 5.0), "rtp")
        heard = await digits(call.bob.dtmf, KEPT)
        assert "".join(heard) == "".join(str(number % 10) for number in range(6, KEPT + 6))
        await none_more(call.bob.dtmf)


async def test_the_end_of_the_call_ends_the_iteration_and_get_raises() -> None:
    async with wired(Wire()) as call:
        taking = asyncio.ensure_future(_taken(call.bob.dtmf))
        await call.alice.dtmf.send("12")
        call.bob.audio.end(CallEnded("remote", "bye"))
        assert await taking == "12"
        with pytest.raises(CallEnded, match="bye"):
            await call.bob.dtmf.get()
        with pytest.raises(CallEnded, match="bye"):
            await call.bob.dtmf.send("1")
        assert await _taken(call.bob.dtmf) == ""


async def _taken(dtmf: Dtmf) -> str:
    return "".join([digit async for digit in dtmf])


async def test_what_came_before_the_end_is_still_told() -> None:
    async with wired(Wire()) as call:
        await call.alice.dtmf.send("42")
        await asyncio.sleep(0.1)
        call.bob.audio.end(CallEnded("remote"))
        assert await _taken(call.bob.dtmf) == "42"


async def test_one_task_at_a_time_may_ask() -> None:
    async with wired(Wire()) as call:
        asking = asyncio.ensure_future(call.bob.dtmf.get())
        await asyncio.sleep(0)
        with pytest.raises(LocalProtocolError, match="another task waits"):
            await call.bob.dtmf.get()
        asking.cancel()
        await asyncio.wait([asking])
        await call.alice.dtmf.send("1")
        assert await call.bob.dtmf.get() == "1"


def test_a_digit_is_its_text() -> None:
    digit = Digit("5", 1.0, 0.1, "rtp")
    assert (digit, digit.value, digit in "159", {"5": 1}[digit]) == ("5", "5", True, 1)
    assert repr(digit) == "Digit('5', time=1.000, duration=0.100, way='rtp')"


# --- sending ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"digits": "12x"}, "'X' is no digit: there are 0 to 9"),
        ({"digits": "1 2"}, "' ' is no digit"),
        ({"digits": "1", "duration": 0}, "duration and gap are seconds, 60 at the most"),
        ({"digits": "1", "duration": float("nan")}, "duration and gap"),
        ({"digits": "1", "duration": 61}, "duration and gap"),
        ({"digits": "1", "gap": -1}, "duration and gap"),
        ({"digits": "1", "way": "smoke"}, "no such way: 'smoke'"),
    ],
)
async def test_what_cannot_be_sent(arguments: dict[str, object], message: str) -> None:
    async with wired(Wire()) as call:
        with pytest.raises(LocalProtocolError, match=message):
            await call.alice.dtmf.send(**arguments)  # type: ignore[arg-type]


async def test_small_letters_are_keys_and_no_digits_are_none() -> None:
    async with wired(Wire()) as call:
        await call.alice.dtmf.send("")
        await call.alice.dtmf.send("aBd")
        assert "".join(await digits(call.bob.dtmf, 3)) == "ABD"


async def test_a_way_that_is_not_there() -> None:
    async with without_events(Wire()) as call:
        with pytest.raises(MediaError, match="has not agreed on telephone-event"):
            await call.alice.dtmf.send("1", way="rtp")
        with pytest.raises(MediaError, match="no call yet that could send INFO"):
            await call.alice.dtmf.send("1", way="info")


class Informed:
    """Takes INFO, or refuses it after ``taken`` digits."""

    def __init__(self, refuses_after: int = 99) -> None:
        self.keys: list[str] = []
        self._refuses_after = refuses_after

    async def __call__(self, key: str, duration: float, *, plain: bool = False) -> None:
        if len(self.keys) >= self._refuses_after:
            raise RequestFailed(Response(415, "Unsupported Media Type"))
        self.keys.append(key)


async def test_auto_is_info_without_rfc_4733_and_tones_where_that_is_refused() -> None:
    async with without_events(Wire()) as call:
        informed = call.alice.dtmf.info = Informed(2)
        hearing = asyncio.ensure_future(digits(call.bob.dtmf, 3))
        await asyncio.sleep(0.1)
        await call.alice.dtmf.send("1234")
        await call.alice.dtmf.send("5")
        assert (informed.keys, "".join(await hearing)) == (["1", "2"], "345")
        with pytest.raises(RequestFailed):
            await call.alice.dtmf.send("6", way="info")


async def test_info_keeps_the_pace_of_keys() -> None:
    async with without_events(Wire()) as call:
        call.alice.dtmf.info = Informed()
        began = asyncio.get_running_loop().time()
        await call.alice.dtmf.send("123", duration=0.2, gap=0.1, way="info")
        assert asyncio.get_running_loop().time() - began == pytest.approx(0.9)


# --- formats ---


async def test_telephone_event_is_offered_for_the_clock_of_each_codec() -> None:
    session = AudioSession("192.0.2.1", bind=Wire().bind)
    wide = attrs.evolve(session._capabilities.codecs[0], name="X", clock_rate=48000, payload_type=102)
    plain = attrs.evolve(session._capabilities, codecs=(*session._capabilities.codecs[:2], wide))
    named = FormatsOfCall(("telephone-event",), session.dtmf).described(plain)
    assert [(each.payload_type, each.name, each.clock_rate) for each in named.codecs[3:]] == [
        (101, "telephone-event", 8000),
        (103, "telephone-event", 48000),
    ]
    await session.close()


@pytest.mark.parametrize("argument", [{"beside": ("smell",)}, {"inband": "maybe"}])
def test_what_there_is_not(argument: dict[str, object]) -> None:
    with pytest.raises(MediaError, match="no such"):
        AudioSession("192.0.2.1", **argument)  # type: ignore[arg-type]


def test_media_without_digits() -> None:
    with pytest.raises(LocalProtocolError, match="has no digits"):
        dtmf_of(object())


async def test_a_call_with_digits_leaves_no_garbage() -> None:
    async with wired(Wire()) as call:
        hearing = asyncio.ensure_future(digits(call.bob.dtmf, 1))
        await call.alice.dtmf.send("1")
        await hearing
    gc.collect()
    gc.disable()
    try:
        del call
        assert gc.collect() == 0
    finally:
        gc.enable()
