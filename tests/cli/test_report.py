"""The two outputs: lines for people, JSON for programs."""

from __future__ import annotations

import io
import json

import attrs
import pytest

from sipstack.cli.ladder import BOX, PLAIN, Pen
from sipstack.cli.report import KEYS, Event, HumanReport, JsonReport, sentence
from tests.cli.streams import environment, text

ENDED = Event(
    "ended",
    call_id="c1",
    local="sip:alice@example.com",
    remote="sip:bob@example.com",
    reason="bye",
    by="remote",
    duration=12.345,
    codec="PCMU",
    packets_sent=615,
    packets_received=612,
    packets_lost=3,
    jitter_ms=1.25,
)


def test_the_keys_are_a_promise() -> None:
    assert KEYS == (
        "event",
        "time",
        "call_id",
        "number",
        "local",
        "remote",
        "status",
        "reason",
        "by",
        "duration",
        "answered_after",
        "round_trip",
        "expires_in",
        "retry_in",
        "codec",
        "security",
        "packets_sent",
        "packets_received",
        "packets_lost",
        "jitter_ms",
        "text",
        "headers",
        "summary",
    )


def test_json_has_one_object_a_line_with_every_key() -> None:
    env = environment(wall_clock=lambda: 1_800_000_000.25)
    report = JsonReport(env)
    report(Event("progress", call_id="c1", status=180, reason="Ringing", headers={"Reason": "Q.850"}))
    report(ENDED)
    first, second = (json.loads(line) for line in text(env.stdout).splitlines())
    nothing = dict.fromkeys(KEYS)
    assert first == nothing | {
        "event": "progress",
        "time": "2027-01-15T08:00:00.250+00:00",
        "call_id": "c1",
        "status": 180,
        "reason": "Ringing",
        "headers": {"Reason": "Q.850"},
    }
    assert list(second) == list(KEYS)
    assert second["packets_lost"] == 3


def test_json_keeps_standard_output_to_itself() -> None:
    env = environment(terminal=True)
    report = JsonReport(env)
    report.advise("try again")
    report.draw("a line", "sent")
    with report.waiting("ringing"):
        pass
    assert (text(env.stdout), text(env.stderr)) == ("", "a line\n")


def test_json_of_text_that_is_not_utf8_stays_one_ascii_line() -> None:
    env = environment()
    JsonReport(env)(Event("rejected", reason="B\udcfcsy\r\n\x1b[2J"))
    assert text(env.stdout).isascii()
    assert text(env.stdout).count("\n") == 1


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Event("calling", local="sip:a@x", remote="sip:b@x"), "sip:a@x -> sip:b@x"),
        (Event("invited", local="sip:a@x", remote="sip:b@x"), "sip:b@x -> sip:a@x"),
        (Event("registered", local="sip:a@x", expires_in=600.0), "sip:a@x, for 600.0 s"),
        (Event("listening", local="sip:a@x"), "sip:a@x"),
        (Event("progress", call_id="c1", status=180, reason="Ringing"), "180 Ringing"),
        (Event("answered", remote="sip:b@x", answered_after=0.0213, codec="PCMA"), "after 21 ms, PCMA"),
        (Event("answered", codec="PCMA", security="SDES-SRTP"), "PCMA, SDES-SRTP"),
        (
            Event("answered", number=2, remote="sip:b@x", answered_after=3.04),
            "call 2, from sip:b@x, after 3.0 s",
        ),
        (
            Event("ended", number=2, remote="sip:b@x", by="remote", duration=0.99995),
            "call 2, from sip:b@x, by remote, 1.0 s",
        ),
        (Event("cancelled", number=3, remote="sip:b@x", by="remote"), "call 3, from sip:b@x, by remote"),
        (Event("invited", number=1, local="sip:a@x", remote="sip:b@x"), "call 1, sip:b@x -> sip:a@x"),
        (Event("message", local="sip:a@x", remote="sip:b@x", text="hello"), "sip:b@x -> sip:a@x"),
        (Event("responded", status=200, reason="OK", round_trip=0.0239), "200 OK, after 24 ms"),
        (Event("failed", reason="no address"), "no address"),
        (Event("interrupted"), ""),
        (ENDED, "bye, by remote, 12.3 s, PCMU, 615 packets sent, 612 received, 3 lost, jitter 1.2 ms"),
    ],
    ids=lambda value: value.event if isinstance(value, Event) else "",
)
def test_events_in_words(event: Event, words: str) -> None:
    assert sentence(event) == words


def test_a_pipe_gets_plain_lines_that_are_not_wrapped() -> None:
    env = environment()
    report = HumanReport(env, live=True)
    with report.waiting("ringing"):
        report(Event("calling", local="sip:alice@example.com", remote=f"sip:{'b' * 100}@example.com"))
    report(Event("responded", status=200, headers={"Allow": "INVITE, [bold]ACK"}))
    report(Event("unregistered", local="sip:a@x"))
    assert text(env.stdout) == (
        f"calling     sip:alice@example.com -> sip:{'b' * 100}@example.com\n"
        "responded   200\n"
        "  Allow         INVITE, [bold]ACK\n"
        "unregistered sip:a@x\n"
    )


def test_complaints_and_the_ladder_go_to_standard_error() -> None:
    env = environment()
    report = HumanReport(env, live=False)
    report(Event("rejected", status=486, reason="Busy Here"))
    report.advise("call later")
    report.draw("    0.000  |--", "failure")
    assert text(env.stdout) == ""
    assert text(env.stderr) == "rejected    486 Busy Here\n            call later\n    0.000  |--\n"


def test_what_a_peer_wrote_cannot_command_the_terminal() -> None:
    env = environment(terminal=True)
    HumanReport(env, live=False)(Event("progress", status=180, reason="R\x1b]0;owned\x07ing\u202e\udc80"))
    assert "180 R?]0;owned?ing??" in text(env.stdout)


def test_a_terminal_gets_colours_unless_no_color_is_set() -> None:
    coloured = environment(terminal=True, variables={"TERM": "xterm"})
    HumanReport(coloured, live=False)(Event("answered", codec="PCMU"))
    plain = environment(terminal=True, variables={"NO_COLOR": "1"})
    HumanReport(plain, live=False)(Event("failed", reason="no address"))
    assert "\x1b[1;32m" in text(coloured.stdout)
    assert "31m" not in text(plain.stderr)


def test_a_terminal_shows_that_time_passes() -> None:
    env = environment(terminal=True)
    with HumanReport(env, live=True).waiting("ringing"):
        pass
    assert "ringing" in text(env.stdout)
    assert "0:00:00" in text(env.stdout)


def test_a_text_message_keeps_its_lines_and_commands_no_terminal() -> None:
    env = environment()
    HumanReport(env, live=False)(Event("message", remote="sip:b@x", text="Lunch\x1b[2J at\nnoon? 😀\x9b1m"))
    assert text(env.stdout) == "message     sip:b@x\n  Lunch?[2J at\n  noon? 😀?1m\n"


def test_neither_fields_nor_advice_command_the_terminal() -> None:
    env = environment()
    report = HumanReport(env, live=False)
    report(Event("rejected", status=603, headers={"Warning": '399 x "\x1b]0;owned\x07"'}))
    report.advise('refused by the realm "\x1b[2J"')
    assert text(env.stderr) == (
        'rejected    603\n  Warning       399 x "?]0;owned?"\n            refused by the realm "?[2J"\n'
    )


@pytest.mark.parametrize(
    ("terminal", "encoding", "pen"),
    [(True, "utf-8", BOX), (True, "latin-1", PLAIN), (False, "utf-8", PLAIN), (True, None, PLAIN)],
)
def test_boxes_are_drawn_where_the_terminal_has_the_characters(
    terminal: bool, encoding: str | None, pen: Pen
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

        @property
        def encoding(self) -> str | None:  # type: ignore[override]
            return encoding

    env = attrs.evolve(environment(), stderr=Stream())
    assert HumanReport(env, live=False).pen is JsonReport(env).pen is pen
