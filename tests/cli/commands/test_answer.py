"""``sipstack answer``, called by agents of this process."""

from __future__ import annotations

import asyncio
import socket
import wave
from pathlib import Path

import pytest

from sipstack.cli.status import ExitStatus
from sipstack.errors import CallRejected
from sipstack.message import Request, Response, parse
from tests.cli.running import ANY_PORT, Command, agent, command, write_tune

ANSWER = ("answer", *ANY_PORT, "--json")


async def contact(run: Command) -> str:
    """Where the command is reached."""
    local = (await run.event("listening"))["local"]
    assert isinstance(local, str)
    return local


def recordings(folder: Path) -> dict[str, int]:
    """The WAV files in a folder and how many samples each has."""
    lengths = {}
    for path in folder.iterdir():
        with wave.open(str(path), "rb") as file:
            lengths[path.name] = file.getnframes()
    return lengths


# -- what fails --------------------------------------------------------------------------------------------


async def test_calls_are_refused_as_asked() -> None:
    async with command(*ANSWER, "--reject", "486", "--calls", "2") as run, agent("alice") as alice:
        for _ in range(2):
            with pytest.raises(CallRejected) as refused:
                async with alice.call(await contact(run)):
                    pass
            assert refused.value.status == 486
        assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["listening", "invited", "rejected", "invited", "rejected"]


async def test_a_caller_who_gives_up_while_it_rings() -> None:
    async with command(*ANSWER, "--ring", "30", "--calls", "1") as run, agent("alice") as alice:
        async with alice.invite(await contact(run)) as outgoing:
            async for response in outgoing.provisionals():
                assert response.status == 180
                break
        assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["listening", "invited", "cancelled"]
    assert run.events[-1]["by"] == "remote"


async def test_an_unwritable_recording_is_known_before_listening(tmp_path: Path) -> None:
    async with command(*ANSWER, "--record", str(tmp_path / "missing" / "out.wav")) as run:
        assert await run.status() == ExitStatus.MEDIA
    assert run.event_names == ["failed"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
async def test_a_full_disk_ends_the_call_and_the_command() -> None:
    async with (
        command(*ANSWER, "--record", "/dev/full", "--calls", "1") as run,
        agent("alice") as alice,
    ):
        async with alice.call(await contact(run)) as call:
            async with asyncio.timeout(10):
                assert (await call.ended()).by == "remote"
        assert await run.status() == ExitStatus.MEDIA
    assert run.event_names == ["listening", "invited", "answered", "ended", "failed"]


async def test_the_media_fault_of_one_call_does_not_end_the_others(tmp_path: Path) -> None:
    tune = tmp_path / "tune.wav"
    write_tune(tune)
    async with command(*ANSWER, "--play", str(tune), "--calls", "2") as run, agent("alice") as alice:
        target = await contact(run)
        whole = tune.read_bytes()
        tune.write_bytes(b"no tune")
        async with alice.call(target) as call:
            await call.ended()
        tune.write_bytes(whole)
        async with alice.call(target) as call:
            await call.ended()
        assert await run.status() == ExitStatus.MEDIA
    answered = ["invited", "answered", "ended"]
    assert run.event_names == ["listening", *answered, "failed", *answered, "failed"]


async def test_calls_beyond_the_limit_are_refused_for_now_and_those_that_stand_go_on() -> None:
    for option in ("--max-calls", "--max-calls-per-source"):
        async with command(*ANSWER, option, "1", "--calls", "2") as run, agent("alice") as alice:
            target = await contact(run)
            for _ in range(2):
                async with alice.call(target):
                    with pytest.raises(CallRejected) as refused:
                        async with alice.call(target):
                            pass
                    assert (refused.value.status, refused.value.response.headers.get("Retry-After")) == (
                        503,
                        "10",
                    )
            assert await run.status() == ExitStatus.DONE


def invite(target: str) -> bytes:
    """An INVITE that offers a codec which is not ours (G.729)."""
    head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    headers = {
        "Via": "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK1",
        "Max-Forwards": "70",
        "From": "<sip:alice@example.com>;tag=a",
        "To": f"<{target}>",
        "Call-ID": "c1",
        "CSeq": "1 INVITE",
        "Contact": "<sip:alice@127.0.0.1>",
        "Content-Type": "application/sdp",
    }
    return bytes(Request("INVITE", target, headers.items(), f"{head}m=audio 4000 RTP/AVP 18\r\n".encode()))


async def final_status(target: str, datagram: bytes) -> int:
    """Send one datagram to a URI on loopback; the status of the final response."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.setblocking(False)
        caller.bind(("127.0.0.1", 0))
        await loop.sock_sendto(caller, datagram, ("127.0.0.1", int(target.rpartition(":")[2])))
        async with asyncio.timeout(10):
            while True:
                response = parse(await loop.sock_recv(caller, 65535))
                assert isinstance(response, Response)
                if response.status >= 200:
                    return response.status


async def test_a_caller_without_a_common_codec_is_refused_and_the_next_one_welcome() -> None:
    async with command(*ANSWER, "--echo", "--calls", "2") as run, agent("alice") as alice:
        target = await contact(run)
        assert await final_status(target, invite(target)) == 488
        async with alice.call(target):
            pass
        assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["listening", "invited", "failed", "invited", "answered", "ended"]
    assert run.events[2]["call_id"] == "c1"


# -- Ctrl-C ------------------------------------------------------------------------------------------------


async def test_ctrl_c_while_nobody_calls() -> None:
    async with command(*ANSWER) as run:
        await contact(run)
        run.interrupt()
        assert await run.status() == ExitStatus.INTERRUPTED
    assert run.event_names == ["listening", "interrupted"]


async def test_ctrl_c_hangs_up_every_call() -> None:
    async with command(*ANSWER, "--echo") as run, agent("alice") as alice:
        target = await contact(run)
        async with alice.call(target) as first, alice.call(target) as second:
            run.interrupt()
            async with asyncio.timeout(10):
                assert {(await first.ended()).by, (await second.ended()).by} == {"remote"}
        assert await run.status() == ExitStatus.INTERRUPTED
    assert sorted(run.event_names) == sorted(
        ["listening", "invited", "answered", "ended", "invited", "answered", "ended", "interrupted"]
    )


# -- what works --------------------------------------------------------------------------------------------


async def test_a_call_that_is_echoed_and_counted() -> None:
    async with command(*ANSWER, "--echo", "--calls", "1") as run, agent("alice") as alice:
        async with alice.call(await contact(run)) as call:
            await asyncio.sleep(0.3)
            assert call.statistics.packets_received > 0
        assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["listening", "invited", "answered", "ended"]
    _, invited, answered, ended = run.events
    assert invited["remote"] == "sip:alice@127.0.0.1"
    assert invited["call_id"] == answered["call_id"] == ended["call_id"] == call.id
    assert (ended["by"], ended["codec"]) == ("remote", "PCMU")
    assert ended["packets_received"] > 0


async def test_it_rings_before_it_is_answered() -> None:
    async with (
        command(*ANSWER, "--ring", "0.2", "--duration", "0.2", "--calls", "1") as run,
        agent("alice") as alice,
    ):
        async with alice.invite(await contact(run)) as outgoing:
            assert [response.status async for response in outgoing.provisionals()] == [180]
            call = await outgoing.answered()
            assert (await call.ended()).by == "remote"
        assert await run.status() == ExitStatus.DONE
    assert 0.2 <= run.events[-1]["duration"] < 2


async def test_a_greeting_is_played_and_the_call_ends_with_it(tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.wav")
    async with command(*ANSWER, "--play", str(tune), "--calls", "1") as run, agent("alice") as alice:
        async with alice.call(await contact(run)) as call:
            async with call.recording(tmp_path / "heard.wav"):
                async with asyncio.timeout(10):
                    assert (await call.ended()).by == "remote"
        assert await run.status() == ExitStatus.DONE
    assert 1.8 <= run.events[-1]["duration"] < 4


async def test_each_call_has_a_recording_of_its_own(tmp_path: Path) -> None:
    record = tmp_path / "out.wav"
    async with command(*ANSWER, "--record", str(record), "--calls", "2") as run, agent("alice") as alice:
        for _ in range(2):
            async with alice.call(await contact(run)):
                await asyncio.sleep(0.2)
        assert await run.status() == ExitStatus.DONE
    assert sorted(recordings(tmp_path)) == ["out-2.wav", "out.wav"]
    assert all(length > 0 for length in recordings(tmp_path).values())


async def test_more_calls_than_asked_for_find_it_busy() -> None:
    async with command(*ANSWER, "--echo", "--calls", "1") as run, agent("alice") as alice:
        target = await contact(run)
        async with alice.call(target):
            with pytest.raises(CallRejected) as refused:
                async with alice.call(target):
                    pass
            assert refused.value.status == 486
        assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["listening", "invited", "answered", "ended"]
