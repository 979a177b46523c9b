"""The floods are what they say, and the good caller calls as a user agent does."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from interop.bench import attack, attack_connect, attack_connections, streams
from interop.bench.attack_calls import GoodCall
from interop.bench.attack_connections import ConnectionFlood, GoodClient
from interop.bench.attack_flood import FLOODS, SOURCE, Flood, name_of, tag_of
from interop.bench.attack_outcome import Outcome
from sipstack.errors import ParseError
from sipstack.message import parse
from sipstack.message.validation import validate

LOCAL = (SOURCE, 5060)


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.name)
def test_a_flood_is_sip_unless_it_is_garbage(flood: Flood) -> None:
    data = flood.make(LOCAL, "one")
    if flood.name.startswith("garbage"):
        with pytest.raises(ParseError):
            parse(data)
        return
    message = parse(data)
    validate(message)
    assert (message.call_id, name_of(data)) == ("one", "one")


def test_the_tag_of_a_response() -> None:
    assert tag_of(b"SIP/2.0 200 OK\r\nTo: <sip:x@y>;tag=abc\r\nCall-ID: 1\r\n\r\n") == "abc"
    assert tag_of(b"SIP/2.0 200 OK\r\nTo: <sip:x@y>\r\n\r\n") == ""


def test_the_figures_of_an_outcome() -> None:
    calls = [GoodCall(0.0, b"", 0.5, took=took) for took in (0.1, 0.3, None, 0.2)]
    row = Outcome(calls, calls[:2], pause=12.0, megabytes=3.0, sent=99.0, drops=7).row("OPTIONS")
    assert row.figures == {
        "sent/s": 99.0,
        "% answered during": 75.0,
        "% after": 100.0,
        "median ms": 200.0,
        "worst ms": 300.0,
        "worst gap ms": 12.0,
        "MB": 3.0,
        "kernel drops": 7,
    }


def test_a_flood_beside_good_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("DURING", 2.0), ("AFTER", 0.3), ("RECOVERY", 0.1)):
        monkeypatch.setattr(attack, name, seconds)
    outcome = attack.suffer(FLOODS[0], tmp_path)
    assert all(call.took is not None for call in (*outcome.during, *outcome.after))
    assert outcome.sent > 0


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_flood_of_connections_beside_good_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    for name, seconds in (("AFTER", 0.3), ("RECOVERY", 0.1)):
        monkeypatch.setattr(attack_connections, name, seconds)
    streams.write_certificates(tmp_path)
    outcome = attack_connections.suffer(ConnectionFlood("few", transport, attempts=2_000), tmp_path)
    assert all(call.took is not None for call in (*outcome.during, *outcome.after))
    assert outcome.sent > 0


def test_who_is_not_answered_is_counted(tmp_path: Path) -> None:
    (asked,) = GoodClient("tcp", 1, tmp_path).ask(lambda: False)
    assert asked.took is None


def test_only_the_newest_connections_of_a_flood_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attack_connect, "AT_ONCE", 10)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        opened = attack_connect.flood(server.getsockname()[1], 30)
        newest = [each.getsockname() for each in opened]
        taken = [server.accept() for _ in range(30)]
        assert [address for _, address in taken][-10:] == newest
        for each, _ in taken[:20]:
            with each, pytest.raises(ConnectionResetError):
                each.recv(1)
        for each in (*opened, *(each for each, _ in taken)):
            each.close()
