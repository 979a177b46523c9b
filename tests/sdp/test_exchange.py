"""Offer and answer, whose turn it is (RFC 3264 §4, RFC 6337)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sipstack.errors import LocalProtocolError, RemoteProtocolError
from sipstack.sdp import Exchange, ExchangeState

IDLE, LOCAL, REMOTE, STABLE = ExchangeState


def idle() -> Exchange[str]:
    return Exchange()


def local_offer() -> Exchange[str]:
    exchange: Exchange[str] = Exchange()
    exchange.offer_sent("first")
    return exchange


def remote_offer() -> Exchange[str]:
    exchange: Exchange[str] = Exchange()
    exchange.offer_received("first")
    return exchange


def stable() -> Exchange[str]:
    return Exchange("ours", "theirs")


def stable_local_offer() -> Exchange[str]:
    exchange = stable()
    exchange.offer_sent("first")
    return exchange


def stable_remote_offer() -> Exchange[str]:
    exchange = stable()
    exchange.offer_received("first")
    return exchange


INPUTS: dict[str, Callable[[Exchange[str]], None]] = {
    "offer_sent": lambda exchange: exchange.offer_sent("next"),
    "offer_received": lambda exchange: exchange.offer_received("next"),
    "answer_sent": lambda exchange: exchange.answer_sent("next"),
    "answer_received": lambda exchange: exchange.answer_received("next"),
    "cancel": lambda exchange: exchange.cancel(),
}

# (state, local, remote, offer) after the input, or the error and its status
OURS = "our fault"
Outcome = tuple[ExchangeState, str | None, str | None, str | None] | str | int
TABLE: dict[Callable[[], Exchange[str]], dict[str, Outcome]] = {
    idle: {
        "offer_sent": (LOCAL, None, None, "next"),
        "offer_received": (REMOTE, None, None, "next"),
        "answer_sent": OURS,
        "answer_received": 400,
        "cancel": OURS,
    },
    local_offer: {
        "offer_sent": OURS,
        "offer_received": 491,
        "answer_sent": OURS,
        "answer_received": (STABLE, "first", "next", None),
        "cancel": (IDLE, None, None, None),
    },
    remote_offer: {
        "offer_sent": OURS,
        "offer_received": 500,
        "answer_sent": (STABLE, "next", "first", None),
        "answer_received": 400,
        "cancel": (IDLE, None, None, None),
    },
    stable: {
        "offer_sent": (LOCAL, "ours", "theirs", "next"),
        "offer_received": (REMOTE, "ours", "theirs", "next"),
        "answer_sent": OURS,
        "answer_received": 400,
        "cancel": OURS,
    },
    stable_local_offer: {
        "offer_sent": OURS,
        "offer_received": 491,
        "answer_sent": OURS,
        "answer_received": (STABLE, "first", "next", None),
        "cancel": (STABLE, "ours", "theirs", None),
    },
    stable_remote_offer: {
        "offer_sent": OURS,
        "offer_received": 500,
        "answer_sent": (STABLE, "next", "first", None),
        "answer_received": 400,
        "cancel": (STABLE, "ours", "theirs", None),
    },
}


def seen(exchange: Exchange[str]) -> tuple[ExchangeState, str | None, str | None, str | None]:
    return exchange.state, exchange.local, exchange.remote, exchange.offer


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("start", TABLE, ids=lambda start: start.__name__)
def test_every_state_with_every_input(start: Callable[[], Exchange[str]], name: str) -> None:
    exchange, before = start(), seen(start())
    outcome = TABLE[start][name]
    if isinstance(outcome, tuple):
        INPUTS[name](exchange)
        assert seen(exchange) == outcome
        return
    with pytest.raises(LocalProtocolError if outcome == OURS else RemoteProtocolError) as caught:
        INPUTS[name](exchange)
    assert getattr(caught.value, "status", OURS) == outcome
    assert seen(exchange) == before


def test_a_stored_session_has_both_descriptions_or_none() -> None:
    assert seen(Exchange("ours", "theirs")) == (STABLE, "ours", "theirs", None)
    for local, remote in (("ours", None), (None, "theirs")):
        with pytest.raises(LocalProtocolError):
            Exchange(local, remote)


def test_a_call_with_hold_refused_hold_and_glare() -> None:
    alice: Exchange[bytes] = Exchange()
    alice.offer_sent(b"INVITE")
    alice.answer_received(b"200")
    alice.offer_received(b"re-INVITE: hold")
    alice.answer_sent(b"200: held")
    alice.offer_sent(b"UPDATE")
    with pytest.raises(RemoteProtocolError) as caught:
        alice.offer_received(b"re-INVITE that crosses it")
    assert caught.value.status == 491
    alice.cancel()  # 488 to the UPDATE
    assert (alice.state, alice.local, alice.remote) == (STABLE, b"200: held", b"re-INVITE: hold")


def test_it_says_its_state() -> None:
    assert [repr(start()) for start in (idle, local_offer, remote_offer, stable)] == [
        "<Exchange idle>",
        "<Exchange local offer>",
        "<Exchange remote offer>",
        "<Exchange stable>",
    ]


def test_it_is_small() -> None:
    assert not hasattr(Exchange(), "__dict__")
