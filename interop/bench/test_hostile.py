"""The hostile sender sends what it says, and a short run beside it does no harm."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs

from interop.bench import hostile
from interop.bench.attack_flood import NAME
from interop.bench.hostile import Outcome
from interop.bench.hostile_sender import METHODS, Sender, Shot, shots
from sipstack.errors import ParseError
from sipstack.message import Request, Response, parse
from sipstack.message.validation import validate

LOCAL, NEIGHBOUR = ("127.0.0.2", 5060), ("127.0.0.3", 5070)
SHOTS = shots("the-call", LOCAL, NEIGHBOUR)


def read(shot: Shot) -> Request | Response | None:
    try:
        message = parse(shot.data.replace(NAME.encode(), b"x"))
        validate(message)
    except ParseError:
        return None
    return message


def test_most_of_it_is_sip_and_some_is_not() -> None:
    unreadable = [shot for shot in SHOTS if read(shot) is None]
    assert 1 <= len(unreadable) <= 3
    assert len(SHOTS) > 45


def test_every_method_is_tried_outside_and_in_the_name_of_the_call() -> None:
    messages = [message for shot in SHOTS if (message := read(shot)) is not None]
    requests = [message for message in messages if isinstance(message, Request)]
    for own in (True, False):
        tried = {request.method for request in requests if (request.call_id == "the-call") is own}
        assert tried >= {*METHODS, "CANCEL", "ACK"}
    assert {message.call_id for message in messages if isinstance(message, Response)} == {"the-call"}


def test_what_is_in_the_name_of_the_call_comes_from_its_host() -> None:
    for shot in SHOTS:
        message = read(shot)
        if message is not None and message.call_id == "the-call":
            assert shot.forged
            assert message.vias[0].host == NEIGHBOUR[0]


def test_passwords_are_guessed_with_nonces_of_the_server() -> None:
    sender = Sender(9, "the-call")
    try:
        sender._nonce = b"fresh"
        guesses = [shot for shot in sender.shots if b"@NONCE@" in shot.data]
        assert len(guesses) == len(METHODS)
    finally:
        sender.close()


def test_the_figures_of_a_run() -> None:
    outcome = Outcome(60.0, 120_000, [0.01, 0.02, 0.5], [], 80.0, 81.0, 12.0)
    assert outcome.clean
    assert "120000 hostile messages in 60 s, 2000/s; 3 good calls" in str(outcome)
    assert "memory +1.0 MB to 81 MB; wrong: nothing" in str(outcome)
    assert not attrs.evolve(outcome, memory=100.0).clean
    assert not Outcome(1.0, 1, [0.1], ["the call was ended"]).clean
    assert not Outcome(1.0).clean


def test_a_few_seconds_do_no_harm(tmp_path: Path) -> None:
    outcome = asyncio.run(hostile.run(1_000, 4.0, tmp_path))
    assert outcome.wrong == []
    assert len(outcome.good) >= 2
    assert outcome.sent > 1_000
