"""``sipstack call`` against agents of this process, on loopback."""

from __future__ import annotations

import asyncio
import socket
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

import sipstack
from sipstack.cli.status import ExitStatus
from tests.cli.running import ANY_PORT, agent, command, echo, outcome, process, write_tune

ALICE = "sip:alice@example.com"
LINUX_ONLY = pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")


@contextmanager
def silence() -> Iterator[str]:
    """The URI of a peer that receives everything and answers nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        yield f"sip:nobody@127.0.0.1:{mute.getsockname()[1]}"


def closed_port() -> str:
    """A URI with a port that is closed: the host answers with ICMP port unreachable."""
    with silence() as uri:
        return uri


class Phone:
    """A callee that rings, and remembers what happened to the call."""

    def __init__(self) -> None:
        self.invited = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def ring(self, invitation: sipstack.Invitation) -> None:
        self.invited.set()
        await invitation.progress(180)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


class Listener:
    """A callee that answers, and remembers how the call ended."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def answer(self, invitation: sipstack.Invitation) -> None:
        async with invitation.accept() as call:
            self.ended.set_result((await call.ended()).by)

    async def end(self) -> str:
        async with asyncio.timeout(10):
            return await self.ended


# -- what fails --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (486, ExitStatus.REFUSED),
        (603, ExitStatus.REFUSED),
        (488, ExitStatus.REFUSED),
        (408, ExitStatus.NO_ANSWER),
    ],
)
async def test_a_refusal_is_said_with_its_status(status: int, expected: ExitStatus) -> None:
    async def refuse(invitation: sipstack.Invitation) -> None:
        await invitation.reject(status)

    async with agent() as bob, bob.serving(refuse), command("call", bob.contact, *ANY_PORT, "--json") as run:
        assert await run.status() == expected
    assert run.event_names == ["calling", "rejected"]
    assert run.events[-1]["status"] == status


async def test_an_unreachable_peer() -> None:
    async with command("call", closed_port(), *ANY_PORT, "--json") as run:
        assert await run.status() == ExitStatus.NETWORK
    assert run.event_names == ["calling", "failed"]
    assert run.events[-1]["reason"]


async def test_a_name_without_an_address() -> None:
    async with command("call", "sip:bob@host.invalid", "--json") as run:
        assert await run.status() == ExitStatus.NETWORK
    assert run.event_names == ["calling", "failed"]
    assert "host.invalid" in run.events[-1]["reason"]


async def test_a_port_that_is_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        listen = f"udp:127.0.0.1:{taken.getsockname()[1]}"
        async with command("call", "sip:bob@127.0.0.1", "--listen", listen, "--json") as run:
            assert await run.status() == ExitStatus.NETWORK
    assert run.event_names == ["failed"]


async def test_a_silent_peer() -> None:
    with silence() as target:
        async with command("call", target, *ANY_PORT, "--ring-timeout", "0.3", "--json") as run:
            assert await run.status() == ExitStatus.NO_ANSWER
    assert run.event_names == ["calling", "failed"]
    assert run.events[-1]["reason"] == "no answer in 0.3 s"


async def test_a_phone_that_rings_too_long_gets_a_cancel() -> None:
    phone = Phone()
    async with agent() as bob, bob.serving(phone.ring):
        async with command("call", bob.contact, *ANY_PORT, "--ring-timeout", "0.3", "--json") as run:
            assert await run.status() == ExitStatus.NO_ANSWER
        assert phone.cancelled.is_set()
    assert run.event_names == ["calling", "progress", "failed"]
    assert (run.events[1]["status"], run.events[1]["reason"]) == (180, "Ringing")


async def test_a_target_that_is_no_uri_after_all() -> None:
    async with command("call", "sip:bob@127.0.0.1:x", *ANY_PORT, "--json") as run:
        assert await run.status() == ExitStatus.USAGE


async def test_an_unwritable_recording_is_known_before_dialling(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "out.wav"
    phone = Phone()
    async with agent() as bob, bob.serving(phone.ring):
        async with command("call", bob.contact, *ANY_PORT, "--record", str(path), "--json") as run:
            assert await run.status() == ExitStatus.MEDIA
        assert not phone.invited.is_set()
    assert [(event["event"], event["reason"]) for event in run.events] == [
        ("failed", f"cannot write {path}: No such file or directory")
    ]


async def test_a_redirection_is_shown() -> None:
    fields = {
        "Warning": '399 bob "moved\x1b[2J"',
        "Reason": "Q.850;cause=22",
        "Contact": "<sip:c@d>, <sip:e@f>",
    }

    async def move(invitation: sipstack.Invitation) -> None:
        await invitation.reject(302, headers=fields)

    async with agent() as bob, bob.serving(move):
        async with command("call", bob.contact, *ANY_PORT) as people:
            assert await people.status() == ExitStatus.REFUSED
        async with command("call", bob.contact, *ANY_PORT, "--json") as program:
            assert await program.status() == ExitStatus.REFUSED
    assert people.stderr == (
        "rejected    302 Moved Temporarily\n"
        '  Warning       399 bob "moved?[2J"\n'
        "  Reason        Q.850;cause=22\n"
        "  Contact       <sip:c@d>, <sip:e@f>\n"
    )
    calling, rejected = program.events
    assert rejected["headers"] == fields
    assert calling["call_id"] == rejected["call_id"] is not None


async def test_every_event_of_a_call_has_its_call_id_and_the_time() -> None:
    phone = Phone()
    async with agent() as bob, bob.serving(phone.ring):
        async with command("call", bob.contact, *ANY_PORT, "--ring-timeout", "0.3", "--json") as run:
            assert await run.status() == ExitStatus.NO_ANSWER
    assert run.event_names == ["calling", "progress", "failed"]
    (call_id,) = {event["call_id"] for event in run.events}
    assert call_id
    times = [datetime.fromisoformat(event["time"]) for event in run.events]
    assert times == sorted(times)
    assert (times[-1] - times[0]).total_seconds() >= 0.2


async def test_ctrl_c_where_nobody_ever_answered_leaves_at_once() -> None:
    loop = asyncio.get_running_loop()
    with silence() as target:
        async with command("call", target, *ANY_PORT, "--json") as run:
            await run.event("calling")
            await asyncio.sleep(1)
            began = loop.time()
            run.interrupt()
            assert await run.status() == ExitStatus.INTERRUPTED
            assert loop.time() - began < 1


@LINUX_ONLY
async def test_a_full_disk_ends_the_call_with_a_bye() -> None:
    async with agent() as bob:
        listener = Listener()
        async with bob.serving(listener.answer):
            async with command("call", bob.contact, *ANY_PORT, "--record", "/dev/full", "--json") as run:
                assert await run.status() == ExitStatus.MEDIA
            assert await listener.end() == "remote"
    assert run.event_names == ["calling", "answered", "ended", "failed"]
    assert (run.events[2]["by"], run.events[3]["reason"]) == ("local", "/dev/full: No space left on device")


async def test_a_file_that_is_no_audio_is_known_before_dialling(tmp_path: Path) -> None:
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"this is no audio")
    phone = Phone()
    async with agent() as bob, bob.serving(phone.ring):
        async with command("call", bob.contact, *ANY_PORT, "--play", str(noise), "--json") as run:
            assert await run.status() == ExitStatus.USAGE
        assert not phone.invited.is_set()
    assert run.event_names == []
    assert "Invalid value for '--play': it cannot be played: " in run.stderr


async def test_a_file_that_is_gone_when_it_is_to_be_played_ends_the_call_with_a_bye(tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.wav")

    async def answer(invitation: sipstack.Invitation) -> None:
        tune.unlink()
        await listener.answer(invitation)

    async with agent() as bob:
        listener = Listener()
        async with bob.serving(answer):
            async with command("call", bob.contact, *ANY_PORT, "--play", str(tune), "--json") as run:
                assert await run.status() == ExitStatus.MEDIA
            assert await listener.end() == "remote"
    assert run.event_names == ["calling", "answered", "ended", "failed"]


# -- Ctrl-C ------------------------------------------------------------------------------------------------


async def test_ctrl_c_while_it_rings_cancels() -> None:
    phone = Phone()
    async with agent() as bob, bob.serving(phone.ring):
        async with command("call", bob.contact, *ANY_PORT, "--json") as run:
            await run.event("progress")
            run.interrupt()
            assert await run.status() == ExitStatus.INTERRUPTED
        assert phone.cancelled.is_set()
    assert run.event_names == ["calling", "progress", "interrupted"]


async def test_ctrl_c_in_a_call_hangs_up() -> None:
    async with agent() as bob:
        listener = Listener()
        async with bob.serving(listener.answer):
            async with command("call", bob.contact, *ANY_PORT, "--json") as run:
                await run.event("answered")
                run.interrupt()
                assert await run.status() == ExitStatus.INTERRUPTED
            assert await listener.end() == "remote"
    assert run.event_names == ["calling", "answered", "ended", "interrupted"]


# -- what works --------------------------------------------------------------------------------------------


async def test_a_call_that_plays_records_and_hangs_up(tmp_path: Path) -> None:
    tune, record = write_tune(tmp_path / "tune.wav"), tmp_path / "out.wav"
    files = ("--play", str(tune), "--record", str(record))
    async with agent() as bob, bob.serving(echo):
        target = bob.contact
        async with command("call", target, *ANY_PORT, *files, "--from", ALICE, "--json") as run:
            assert await run.status() == ExitStatus.DONE
    calling, answered, ended = run.events
    assert [event["event"] for event in run.events] == ["calling", "answered", "ended"]
    assert (calling["local"], calling["remote"]) == (ALICE, target)
    assert answered["call_id"] == ended["call_id"] is not None
    assert (answered["codec"], ended["codec"], ended["by"]) == ("PCMU", "PCMU", "local")
    assert ended["duration"] >= 1.8  # the tune
    assert ended["packets_sent"] >= 80
    assert ended["packets_received"] >= 80
    with wave.open(str(record), "rb") as file:
        frames = file.readframes(file.getnframes())
    assert len(frames) / 16000 == pytest.approx(ended["duration"], abs=0.3)
    assert any(frames)


async def test_a_duration_ends_the_call() -> None:
    async with agent() as bob, bob.serving(echo):
        async with command("call", bob.contact, *ANY_PORT, "--duration", "0.3", "--json") as run:
            assert await run.status() == ExitStatus.DONE
    assert 0.3 <= run.events[-1]["duration"] < 2


async def test_the_peer_hangs_up(tmp_path: Path) -> None:
    async def say_goodbye(invitation: sipstack.Invitation) -> None:
        async with invitation.accept() as call:
            await call.hang_up("Q.850;cause=16")

    tune, record = write_tune(tmp_path / "tune.wav"), tmp_path / "out.wav"
    async with agent() as bob, bob.serving(say_goodbye):
        arguments = ("--play", str(tune), "--record", str(record), "--duration", "30", "--json")
        async with command("call", bob.contact, *ANY_PORT, *arguments) as run:
            assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["calling", "answered", "ended"]
    assert (run.events[-1]["by"], run.events[-1]["reason"]) == ("remote", "Q.850;cause=16")


async def test_people_read_lines_and_a_ladder() -> None:
    async with agent() as bob, bob.serving(echo):
        async with command("call", bob.contact, *ANY_PORT, "--duration", "0.2", "--trace") as run:
            assert await run.status() == ExitStatus.DONE
    lines = run.environment.stdout.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split()[0] for line in lines] == ["calling", "answered", "ended"]
    arrows = [line.partition("  |")[2].strip("-<>| ") for line in run.stderr.splitlines()]
    assert arrows == ["", "INVITE + SDP", "200 OK (INVITE) + SDP", "ACK", "BYE", "200 OK (BYE)"]


async def test_the_capture_file_of_a_call_holds_every_message(tmp_path: Path) -> None:
    scapy = pytest.importorskip("scapy.utils", reason="the extra 'trace' is not installed")
    path = tmp_path / "call.pcap"
    async with agent() as bob, bob.serving(echo):
        (_, host, port) = bob.listening[0]
        async with command("call", bob.contact, *ANY_PORT, "--duration", "0.2", "--pcap", str(path)) as run:
            assert await run.status() == ExitStatus.DONE
    everything = list(scapy.rdpcap(str(path)))
    rtp = [packet for packet in everything if bytes(packet["UDP"].payload)[0] >> 6 == 2]  # RFC 3550 §5.1
    audio = [packet for packet in rtp if bytes(packet["UDP"].payload)[1] & 0x7F == 0]  # PCMU
    packets = [packet for packet in everything if packet not in rtp]
    firsts = [bytes(packet["UDP"].payload).partition(b"\r\n")[0].split(b" ", 1)[0] for packet in packets]
    assert firsts == [b"INVITE", b"SIP/2.0", b"ACK", b"BYE", b"SIP/2.0"]
    ends = {(packet.src, packet.dst) for packet in packets}
    assert ends == {("127.0.0.1", "127.0.0.1")}
    assert [packet["UDP"].dport == port for packet in packets] == [True, False, True, True, False]
    assert host == "127.0.0.1"
    ours, theirs = audio[0]["UDP"].sport, audio[0]["UDP"].dport
    ways = [(packet["UDP"].sport, packet["UDP"].dport) for packet in audio]
    assert set(ways) == {(ours, theirs), (theirs, ours)}
    assert {len(bytes(packet["UDP"].payload)) for packet in audio} == {12 + 160}
    times = [float(packet.time) for packet in everything]
    assert times == sorted(times)
    assert packets[0].time <= audio[0].time <= packets[-1].time


@LINUX_ONLY
async def test_a_capture_file_that_fills_up_ends_the_call_with_a_bye(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="this system has no resource limits")
    path = tmp_path / "call.pcap"
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))  # noqa: E731
    async with agent() as bob:
        listener = Listener()
        async with bob.serving(listener.answer):
            arguments = ("call", bob.contact, *ANY_PORT, "--pcap", str(path), "--duration", "10", "--json")
            async with process(*arguments, preexec_fn=limit) as running:
                status, said, _ = await outcome(running)
            assert await listener.end() == "remote"
    assert status == ExitStatus.NETWORK
    assert [event["event"] for event in said] == ["calling", "answered", "ended", "failed"]
    assert said[2]["duration"] < 3


async def test_without_scapy_a_capture_is_a_usage_error(tmp_path: Path) -> None:
    code = "import sys; sys.modules['scapy.layers.inet'] = None\n"
    code += "from sipstack.__main__ import main; sys.exit(main())"
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        "call",
        "sip:bob@127.0.0.1",
        *ANY_PORT,
        "--pcap",
        str(tmp_path / "f"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await running.communicate()
    assert running.returncode == ExitStatus.USAGE
    assert errors == b"failed      a capture file needs scapy: pip install 'sipstack[trace]'\n"


# -- digits ------------------------------------------------------------------------------------------------


class Keypad:
    """A callee that takes four digits, presses two and hangs up."""

    def __init__(self) -> None:
        self.heard = ""

    async def answer(self, invitation: sipstack.Invitation) -> None:
        async with invitation.accept() as call:
            self.heard = "".join([await call.dtmf.get() for _ in range(4)])
            await call.dtmf.send("7*")
            await asyncio.sleep(0.2)


async def test_digits_are_sent_after_the_answer_and_those_of_the_peer_are_shown() -> None:
    keypad = Keypad()
    async with agent() as bob, bob.serving(keypad.answer):
        async with command("call", bob.contact, "--dtmf", "159#", "--json", *ANY_PORT) as running:
            assert await running.status() == 0
            assert [event["text"] for event in running.events if event["event"] == "digit"] == ["7", "*"]
    assert keypad.heard == "159#"


async def test_what_is_no_digit_calls_nobody() -> None:
    async with command("call", "sip:bob@127.0.0.1", "--dtmf", "12x", *ANY_PORT) as running:
        assert await running.status() == ExitStatus.USAGE
        assert "'12x' has more than 0 to 9" in running.stderr
