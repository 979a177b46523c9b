"""``sipstack call``: what its INVITE asks for, and what is done in the call beside audio."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import pytest

import sipstack
from sipstack.cli.status import ExitStatus
from tests.cli.commands.test_call import Listener, Phone, closed_port
from tests.cli.commands.test_refer import busy, follow, ring_and_answer
from tests.cli.running import ANY_PORT, agent, command, echo, write_tune


class Seen:
    """A callee that keeps the INVITE, and what happens to the call until it ends."""

    def __init__(self) -> None:
        self.invite: sipstack.Request | None = None
        self.held = False
        self.ended = asyncio.Event()

    async def __call__(self, invitation: sipstack.Invitation) -> None:
        self.invite = invitation.request
        async with invitation.accept() as call:
            await call.ended()
            self.held = call.remote_held
            self.ended.set()


def field(seen: Seen, name: str) -> str | None:
    assert seen.invite is not None
    return seen.invite.headers.get(name)


# -- usage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--header", "Subject"), "'Subject' is not NAME:VALUE: write it like 'Subject: lunch'"),
        (("--header", ": lunch"), "': lunch' is not NAME:VALUE"),
        (("--header", "A b: c"), "'A b: c' cannot be sent: "),
        (("--header", "Subject: a\r\nVia: b"), "cannot be sent: "),
        (("--header", "v: SIP/2.0/UDP x"), "Via cannot be given in headers=: the transport writes it"),
        (("--timer", "60"), "the least is 90 s (RFC 4028 §5)"),
        (("--timer", "1.5"), "'1.5' is neither whole seconds nor 'off'"),
        (("--timer", "9" * 30), "cannot be"),
        (("--replace", "abc"), "'abc' names no call: write CALL-ID;to-tag=TAG;from-tag=TAG"),
        (("--replace", "abc;to-tag=1"), "names no call"),
        (("--replace", "abc;to-tag=1;from-tag="), "names no call"),
        (("--replace", "abc;to-tag=1;from-tag=2\r\nVia: b"), "names no call"),
        (("--transfer", "bob"), "'bob' is not a SIP URI: write sip:bob"),
        (("--dtmf-way", "smoke"), "'smoke' is not one of"),
        (("--hold-after", "0"), "0 is not in the range"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else "",
)
async def test_what_cannot_be_calls_nobody(options: tuple[str, ...], said: str) -> None:
    phone = Phone()
    async with agent() as bob, bob.serving(phone.ring):
        async with command("call", bob.contact, *options, *ANY_PORT) as run:
            assert await run.status() == ExitStatus.USAGE
        assert not phone.invited.is_set()
    assert said in " ".join(run.stderr.split())


# -- the INVITE --------------------------------------------------------------------------------------------


async def test_header_fields_go_into_the_invite() -> None:
    seen = Seen()
    async with agent() as bob, bob.serving(seen):
        headers = ("--header", "Subject: lunch: today", "--header", "X-Trace:7", "--header", "X-Trace: 8")
        async with command("call", bob.contact, *ANY_PORT, *headers, "--duration", "0.1", "--json") as run:
            assert await run.status() == ExitStatus.DONE
    assert field(seen, "Subject") == "lunch: today"
    assert seen.invite is not None
    assert list(seen.invite.headers.raw("X-Trace")) == ["7", "8"]


@pytest.mark.parametrize(
    ("timer", "asked"), [((), "1800"), (("--timer", "120"), "120"), (("--timer", "off"), None)]
)
async def test_the_session_timer(timer: tuple[str, ...], asked: str | None) -> None:
    seen = Seen()
    async with agent() as bob, bob.serving(seen):
        async with command("call", bob.contact, *ANY_PORT, *timer, "--duration", "0.1", "--json") as run:
            assert await run.status() == ExitStatus.DONE
    assert field(seen, "Session-Expires") == asked


async def test_a_call_that_is_not_there_cannot_be_replaced() -> None:
    replace = ("--replace", "nowhere;to-tag=a;from-tag=b")
    async with agent() as bob, bob.serving(echo):
        async with command("call", bob.contact, *ANY_PORT, *replace, "--json") as run:
            assert await run.status() == ExitStatus.REFUSED
    assert (run.events[-1]["event"], run.events[-1]["status"]) == ("rejected", 481)


async def test_a_call_takes_the_place_of_another() -> None:
    tags = asyncio.get_running_loop().create_future()
    ended = asyncio.get_running_loop().create_future()
    replaced: list[bool] = []

    async def answer(invitation: sipstack.Invitation) -> None:
        replaced.append(invitation.replaces is not None)
        if invitation.replaces is not None:
            assert invitation.request.headers.get("Require") == "replaces"
        async with invitation.accept() as call:
            if not tags.done():
                dialog = call._session.dialog
                tags.set_result((dialog.call_id, dialog.local_tag, dialog.remote_tag))
            await call.ended()

    async with agent() as bob, agent("alice") as alice, bob.serving(answer):
        async with alice.call(bob.contact) as first:
            call_id, ours, theirs = await tags
            dialog = f"{call_id};to-tag={ours};from-tag={theirs}"
            arguments = ("call", bob.contact, *ANY_PORT, "--replace", dialog, "--duration", "0.5", "--json")
            async with command(*arguments) as run:
                ended.set_result(await first.ended())
                assert await run.status() == ExitStatus.DONE
    assert ended.result().by == "remote"
    assert replaced == [False, True]
    assert run.event_names == ["calling", "answered", "ended"]


# -- in the call -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["rtp", "info", "info-plain", "inband"])
async def test_digits_travel_the_way_that_was_chosen(way: str) -> None:
    heard: list[tuple[str, str]] = []

    async def take(invitation: sipstack.Invitation) -> None:
        async with invitation.accept(media=media) as call:
            digit = await call.dtmf.get()
            heard.append((digit.value, digit.way))

    def media(host: str) -> sipstack.AudioSession:
        return sipstack.AudioSession(host, inband="on" if way == "inband" else "auto")

    async with agent() as bob, bob.serving(take):
        arguments = ("--dtmf", "5", "--dtmf-way", way, "--duration", "10", "--json")
        async with command("call", bob.contact, *ANY_PORT, *arguments) as run:
            assert await run.status() == ExitStatus.DONE
    assert heard == [("5", "info" if way.startswith("info") else way)]


async def test_info_that_the_other_side_refuses_ends_the_call() -> None:
    async def refuse(request: sipstack.IncomingRequest) -> None:
        await request.respond(415)

    listener = Listener()
    async with agent() as bob, bob.serving(listener.answer, requests={"INFO": refuse}):
        arguments = ("--dtmf", "5", "--dtmf-way", "info", "--json")
        async with command("call", bob.contact, *ANY_PORT, *arguments) as run:
            assert await run.status() == ExitStatus.REFUSED
        assert await listener.end() == "remote"
    assert run.event_names == ["calling", "answered", "ended", "rejected"]
    assert run.events[-1]["status"] == 415


async def test_hold_in_the_call() -> None:
    seen = Seen()
    async with agent() as bob, bob.serving(seen):
        arguments = ("--hold-after", "0.2", "--duration", "0.6", "--json")
        async with command("call", bob.contact, *ANY_PORT, *arguments) as run:
            assert await run.status() == ExitStatus.DONE
        await seen.ended.wait()
    assert seen.held
    assert run.event_names == ["calling", "answered", "held", "ended"]
    assert run.events[2]["call_id"] == run.events[1]["call_id"]


async def test_a_call_that_ends_before_the_hold_is_not_held() -> None:
    async def hang_up(invitation: sipstack.Invitation) -> None:
        async with invitation.accept():
            await asyncio.sleep(0.1)

    async with agent() as bob, bob.serving(hang_up):
        async with command("call", bob.contact, *ANY_PORT, "--hold-after", "20", "--json") as run:
            assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["calling", "answered", "ended"]


async def test_a_transfer_at_the_end_of_the_call_after_the_hold() -> None:
    async with agent() as bob, agent("carol") as carol:
        async with bob.serving(echo), bob.serving_referrals(follow), carol.serving(ring_and_answer):
            arguments = ("--hold-after", "0.1", "--transfer", carol.contact, "--json")
            async with command("call", bob.contact, *ANY_PORT, *arguments) as run:
                assert await run.status() == ExitStatus.DONE
            assert len(carol.calls) == 1
            assert run.events[3]["remote"] == carol.contact
    statuses = [(event["event"], event["status"]) for event in run.events]
    assert statuses == [
        ("calling", None),
        ("answered", None),
        ("held", None),
        ("transferring", None),
        ("progress", 100),
        ("progress", 180),
        ("transferred", 200),
        ("ended", None),
    ]


async def test_a_transfer_waits_for_the_end_of_the_duration() -> None:
    async with agent() as bob, agent("carol") as carol:
        async with bob.serving(echo), bob.serving_referrals(follow), carol.serving(busy):
            arguments = ("--transfer", carol.contact, "--duration", "0.5", "--json")
            async with command("call", bob.contact, *ANY_PORT, *arguments) as run:
                assert await run.status() == ExitStatus.REFUSED
    assert run.event_names == ["calling", "answered", "transferring", "progress", "ended", "rejected"]
    assert run.events[-1]["status"] == 486
    assert run.events[-2]["duration"] >= 0.5


async def test_a_call_that_ends_before_its_transfer_is_no_success() -> None:
    async def hang_up(invitation: sipstack.Invitation) -> None:
        async with invitation.accept():
            await asyncio.sleep(0.1)

    async with agent() as bob, bob.serving(hang_up):
        arguments = ("--transfer", closed_port(), "--duration", "20", "--json")
        async with command("call", bob.contact, *ANY_PORT, *arguments) as run:
            assert await run.status() == ExitStatus.NETWORK
    assert run.event_names == ["calling", "answered", "ended", "failed"]
    assert run.events[-1]["reason"] == "call ended by remote: before it was transferred"


# -- before the answer -------------------------------------------------------------------------------------


def loud_seconds(path: Path) -> float:
    """Seconds of a recording that are not silence."""
    with wave.open(str(path), "rb") as file:
        pcm = file.readframes(file.getnframes())
    frames = [pcm[at : at + 320] for at in range(0, len(pcm), 320)]
    return sum(0.02 for frame in frames if max(memoryview(frame).cast("h")) > 1000)


@pytest.mark.parametrize("early", [True, False])
async def test_an_announcement_that_no_call_follows_is_recorded_by_choice(
    tmp_path: Path, early: bool
) -> None:
    record = tmp_path / "out.wav"

    async def announce(invitation: sipstack.Invitation) -> None:
        await invitation.progress(183, early_media=True)
        await invitation.play(sipstack.melody())
        await invitation.reject(404)

    async with agent() as bob, bob.serving(announce):
        options = ("--early-media",) if early else ()
        async with command(
            "call", bob.contact, *ANY_PORT, *options, "--record", str(record), "--json"
        ) as run:
            assert await run.status() == ExitStatus.REFUSED
    assert run.event_names == ["calling", "progress", "rejected"]
    if early:
        assert loud_seconds(record) > 0.8  # of 1.8 s
    else:
        assert not record.exists()


async def test_what_is_played_before_the_answer_goes_on_in_the_call(tmp_path: Path) -> None:
    tune, at_bob, at_alice = (tmp_path / name for name in ("tune.wav", "bob.wav", "alice.wav"))
    write_tune(tune)

    async def echo_early(invitation: sipstack.Invitation) -> None:
        await asyncio.sleep(0.3)
        await invitation.progress(183, early_media=True)
        async with invitation.recording(at_bob):
            await asyncio.sleep(0.8)
            async with invitation.accept() as call:
                await echo_of(call)

    async def echo_of(call: sipstack.Call) -> None:
        async for frame in call.audio:
            await call.audio.send(frame)

    async with agent() as bob, bob.serving(echo_early):
        files = ("--play", str(tune), "--record", str(at_alice))
        async with command("call", bob.contact, *ANY_PORT, *files, "--early-media", "--json") as run:
            assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["calling", "progress", "answered", "ended"]
    assert 0.5 < run.events[-1]["duration"] < 1.5  # of the 1.8 s, what was left
    assert loud_seconds(at_bob) > 0.8
    assert loud_seconds(at_alice) > 0.2


async def test_the_handset_is_heard_before_the_answer(tmp_path: Path) -> None:
    tune, at_bob = write_tune(tmp_path / "tune.wav"), tmp_path / "bob.wav"

    async def listen_and_refuse(invitation: sipstack.Invitation) -> None:
        await invitation.progress(183, early_media=True)
        async with invitation.recording(at_bob):
            await asyncio.sleep(1)
        await invitation.reject(480)

    async with agent() as bob, bob.serving(listen_and_refuse):
        arguments = ("--audio", str(tune), "--early-media", "--json")
        async with command("call", bob.contact, *ANY_PORT, *arguments) as run:
            assert await run.status() == ExitStatus.REFUSED
    assert loud_seconds(at_bob) > 0.4


async def test_without_early_media_of_the_other_side_the_file_plays_from_the_answer(tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.wav")
    async with agent() as bob, bob.serving(ring_and_answer):
        async with command(
            "call", bob.contact, *ANY_PORT, "--early-media", "--play", str(tune), "--json"
        ) as run:
            assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["calling", "progress", "answered", "ended"]
    assert run.events[-1]["duration"] >= 1.8
