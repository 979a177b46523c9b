"""``sipstack answer``, called by agents of this process."""

from __future__ import annotations

import asyncio
import socket
import wave
from pathlib import Path

import pytest

from sipstack import UserAgent
from sipstack.cli.status import ExitStatus
from sipstack.errors import CallRejected
from sipstack.message import Request, Response, parse
from tests.cli.registrar import registrar_here
from tests.cli.running import ANY_PORT, Command, agent, command, write_tune
from tests.cli.streams import text

ANSWER = ("answer", *ANY_PORT, "--json")


async def contact(run: Command) -> str:
    """Where the command is reached."""
    local = (await run.event("listening"))["local"]
    assert isinstance(local, str)
    return local


async def shown_contact(run: Command) -> str:
    """Where a command that writes for people is reached."""
    async with asyncio.timeout(10):
        while True:
            if (words := text(run.environment.stdout).split())[:1] == ["listening"] and len(words) > 1:
                return words[1]
            await asyncio.sleep(0.01)


def recordings(folder: Path) -> dict[str, int]:
    """The WAV files in a folder and how many samples each has."""
    lengths = {}
    for path in folder.iterdir():
        with wave.open(str(path), "rb") as file:
            lengths[path.name] = file.getnframes()
    return lengths


async def announced_to(run: Command, alice: UserAgent, record: Path) -> int | None:
    """Call, and record what comes before the answer; the status of a refusal."""
    try:
        async with alice.invite(await contact(run)) as outgoing, outgoing.recording(record):
            await outgoing.answered()
    except CallRejected as refused:
        return refused.status
    return None


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


async def test_a_caller_who_gives_up_during_the_announcement(tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.wav")
    async with (
        command(*ANSWER, "--announce", str(tune), "--calls", "1") as run,
        agent("alice") as alice,
    ):
        async with alice.invite(await contact(run)):
            await run.event("announcing")
        assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["listening", "invited", "announcing", "cancelled"]


async def test_an_announcement_that_is_gone_refuses_the_call_and_ends_the_command(tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.wav")
    async with (
        command(*ANSWER, "--announce", str(tune), "--calls", "1") as run,
        agent("alice") as alice,
    ):
        await contact(run)
        tune.unlink()
        assert await announced_to(run, alice, tmp_path / "heard.wav") == 480
        assert await run.status() == ExitStatus.MEDIA
    assert run.event_names == ["listening", "invited", "announcing", "failed"]


async def test_an_announcement_is_not_recorded_over(tmp_path: Path) -> None:
    tune = str(write_tune(tmp_path / "tune.wav"))
    async with command(*ANSWER, "--announce", tune, "--record", tune) as run:
        assert await run.status() == ExitStatus.USAGE
    assert f"--announce and --record name the same file, {tune}" in run.stderr


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
        async with command(*ANSWER, option, "1", "--calls", "1") as run, agent("alice") as alice:
            target = await contact(run)
            async with alice.call(target):
                with pytest.raises(CallRejected) as refused:
                    async with alice.call(target):
                        pass
            assert refused.value.status == 503
            assert refused.value.response.headers.get("Retry-After") == "10"
            assert await run.status() == ExitStatus.DONE
        assert run.event_names == ["listening", "invited", "answered", "ended"]


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


async def test_a_phone_that_rings_before_it_refuses() -> None:
    async with command(*ANSWER, "--reject", "603", "--ring", "0.2", "--calls", "1") as run:
        async with agent("alice") as alice, alice.invite(await contact(run)) as outgoing:
            assert [response.status async for response in outgoing.provisionals()] == [180]
            with pytest.raises(CallRejected, match="603"):
                await outgoing.answered()
        assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["listening", "invited", "rejected"]


async def test_what_is_no_text_is_refused() -> None:
    async with command(*ANSWER) as run, agent("alice") as alice:
        image = {"Content-Type": "image/png"}
        response = await alice.request("MESSAGE", await contact(run), headers=image, body=b"\x89PNG")
        assert (response.status, response.headers.get("Accept")) == (415, "text/plain")
    assert run.event_names == ["listening", "interrupted"]


@pytest.mark.parametrize("status", [403, 503])
async def test_a_registrar_that_refuses_ends_the_command(status: int) -> None:
    async with registrar_here(status=status) as registrar:
        arguments = ("--register", registrar.uri, "--from", "sip:alice@example.com")
        async with command(*ANSWER, *arguments) as run:
            assert await run.status() == ExitStatus.REFUSED
    assert [(event["event"], event["status"]) for event in run.events] == [
        ("listening", None),
        ("rejected", status),
    ]


async def test_a_registration_that_is_refused_later_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sipstack.cli.commands.answer.EXPIRES", 2)
    async with registrar_here() as registrar:
        arguments = ("--register", registrar.uri, "--from", "sip:alice@example.com")
        async with command(*ANSWER, *arguments) as run:
            await run.event("registered")
            registrar.status = 403
            lost = await run.event("lost")
            assert lost["status"] == 403
            registrar.status = 200
            await run.event("registered", 2)
            run.interrupt()
            assert await run.status() == ExitStatus.INTERRUPTED


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


@pytest.mark.parametrize(("reject", "status"), [((), None), (("--reject", "404"), 404)])
async def test_an_announcement_before_the_answer_or_the_refusal(
    reject: tuple[str, ...], status: int | None, tmp_path: Path
) -> None:
    tune, record = write_tune(tmp_path / "tune.wav"), tmp_path / "heard.wav"
    arguments = ("--announce", str(tune), "--ring", "0.2", "--calls", "1", *reject)
    async with command(*ANSWER, *arguments) as run, agent("alice") as alice:
        assert await announced_to(run, alice, record) == status
        assert await run.status() == ExitStatus.DONE
    last = ["rejected"] if reject else ["answered", "ended"]
    assert run.event_names == ["listening", "invited", "announcing", *last]
    assert recordings(tmp_path)["heard.wav"] > 8000  # of 14,400: it had to ring first
    with wave.open(str(record), "rb") as file:
        assert max(memoryview(file.readframes(14_400)).cast("h")) > 1000


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


async def test_a_text_is_shown_and_accepted() -> None:
    async with command(*ANSWER) as run, agent("alice") as alice:
        target = await contact(run)
        assert (await alice.message(target, "Lunch at noon?")).status == 200
        said = await run.event("message")
    assert (said["remote"], said["local"]) == ("sip:alice@127.0.0.1", target)
    assert said["text"] == "Lunch at noon?"
    assert said["call_id"]


async def test_people_read_a_text_and_it_commands_no_terminal() -> None:
    async with command("answer", *ANY_PORT) as run, agent("alice") as alice:
        target = await shown_contact(run)
        await alice.message(target, "one\x1b[2J\ntwo")
    assert text(run.environment.stdout) == (
        f"listening   {target}\nmessage     sip:alice@127.0.0.1 -> {target}\n  one?[2J\n  two\n"
    )


async def test_it_registers_and_takes_the_calls_that_come_so() -> None:
    async with registrar_here(password="secret") as registrar:
        arguments = ("--register", registrar.uri, "--from", "sip:bob@example.com", "--echo", "--calls", "1")
        variables = {"SIPSTACK_PASSWORD": "secret"}
        async with command(*ANSWER, *arguments, variables=variables) as run, agent("alice") as alice:
            await run.event("registered")
            (binding,) = registrar.bindings
            async with alice.call(binding):
                pass
            assert await run.status() == ExitStatus.DONE
        assert registrar.bindings == {}
    assert run.event_names == ["listening", "registered", "invited", "answered", "ended", "unregistered"]


async def test_each_line_says_which_of_several_calls_it_is_about() -> None:
    async with command("answer", *ANY_PORT, "--echo", "--calls", "2") as run, agent("alice") as alice:
        target = await shown_contact(run)
        async with alice.call(target), alice.call(target):
            pass
        assert await run.status() == ExitStatus.DONE
    lines = [line.split(", ")[0] for line in text(run.environment.stdout).splitlines()[1:]]
    assert lines == [
        "invited     call 1",
        "answered    call 1",
        "invited     call 2",
        "answered    call 2",
        "ended       call 2",
        "ended       call 1",
    ]


async def test_the_time_to_the_answer_is_measured() -> None:
    async with command(*ANSWER, "--ring", "0.2", "--calls", "1") as run, agent("alice") as alice:
        async with alice.call(await contact(run)):
            pass
        assert await run.status() == ExitStatus.DONE
    answered, ended = run.events[-2:]
    assert 0.2 <= answered["answered_after"] < 2
    assert (answered["duration"], answered["number"], ended["number"]) == (None, 1, 1)
