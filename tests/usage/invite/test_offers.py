"""Which message carries an offer or an answer: the six patterns of RFC 6337 table 1, seen from both sides."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from sipstack.errors import LocalProtocolError, RemoteProtocolError
from sipstack.sdp.exchange import Exchange, ExchangeState
from sipstack.testing.agent import ANSWER as CALL_ANSWER
from sipstack.testing.agent import OFFER as CALL_OFFER
from sipstack.usage.invite.offers import (
    Carrier,
    Taken,
    give_request,
    give_response,
    take_request,
    take_response,
)
from tests.usage.invite.callers import agreed as agreement
from tests.usage.invite.callers import alice_and_peer, called_by_peer, called_peer

IDLE, LOCAL, REMOTE, STABLE = ExchangeState
OFFER, ANSWER, NOTHING = Taken
Seen = tuple[ExchangeState, bytes | None, bytes | None]
FIRST_OFFER, FIRST_ANSWER = b"the first offer", b"the first answer"


@attrs.frozen(eq=False)
class Ends:
    """The exchange as the caller and the callee of one dialog have it."""

    caller: Exchange[bytes] = attrs.field(factory=Exchange)
    callee: Exchange[bytes] = attrs.field(factory=Exchange)

    def request(self, method: str, cseq: int, body: bytes, *, by_callee: bool = False) -> list[Taken]:
        """A request arrives; what its description was, to its sender and to its receiver."""
        sender, receiver = (self.callee, self.caller) if by_callee else (self.caller, self.callee)
        given = give_request(sender, (True, method, cseq), body)
        return [given, take_request(receiver, (False, method, cseq), body)]

    def response(self, method: str, cseq: int, body: bytes, *, by_caller: bool = False) -> list[Taken]:
        """A 2xx, or a reliable 1xx, arrives."""
        sender, receiver = (self.caller, self.callee) if by_caller else (self.callee, self.caller)
        given = give_response(sender, (False, method, cseq), body)
        return [given, take_response(receiver, (True, method, cseq), body)]

    def fail(self, method: str, cseq: int, *, by_callee: bool = False) -> None:
        """The request is refused, cancelled or never answered: both sides find that."""
        sender, receiver = (self.callee, self.caller) if by_callee else (self.caller, self.callee)
        sender.withdraw((True, method, cseq))
        receiver.withdraw((False, method, cseq))

    @property
    def seen(self) -> tuple[Seen, Seen]:
        """State and pair, by the caller and by the callee."""
        (first, second) = (self.caller, self.callee)
        return (first.state, first.local, first.remote), (second.state, second.local, second.remote)


def fresh() -> Ends:
    """Nothing is agreed yet."""
    return Ends()


def agreed() -> Ends:
    """The INVITE with CSeq 1 has brought a first pair: the offer was the caller's."""
    ends = Ends()
    ends.request("INVITE", 1, FIRST_OFFER)
    ends.response("INVITE", 1, FIRST_ANSWER)
    return ends


NO_PAIR: tuple[Seen, Seen] = (IDLE, None, None), (IDLE, None, None)
FIRST_PAIR: tuple[Seen, Seen] = (STABLE, FIRST_OFFER, FIRST_ANSWER), (STABLE, FIRST_ANSWER, FIRST_OFFER)
Step = Callable[[Ends, bytes], list[Taken]]


@attrs.frozen(eq=False)
class Pattern:
    """A row of the table: how the offer goes, how the answer comes, and the request that carries both."""

    begin: Callable[[], Ends]
    offer: Step
    answer: Step
    method: str
    cseq: int
    callee_offers: bool = False
    carried_by_callee: bool = False

    @property
    def before(self) -> tuple[Seen, Seen]:
        return NO_PAIR if self.begin is fresh else FIRST_PAIR


def re_invited() -> Ends:
    """A re-INVITE without an offer is on its way; the pair of the first stays in force."""
    return agreed()


PATTERNS = {
    "INVITE, 2xx": Pattern(
        fresh,
        lambda ends, body: ends.request("INVITE", 1, body),
        lambda ends, body: ends.response("INVITE", 1, body),
        "INVITE",
        1,
    ),
    "re-INVITE, 2xx": Pattern(
        agreed,
        lambda ends, body: ends.request("INVITE", 2, body),
        lambda ends, body: ends.response("INVITE", 2, body),
        "INVITE",
        2,
    ),
    "re-INVITE of the callee with the number of the caller's INVITE, 2xx": Pattern(
        agreed,
        lambda ends, body: ends.request("INVITE", 1, body, by_callee=True),
        lambda ends, body: ends.response("INVITE", 1, body, by_caller=True),
        "INVITE",
        1,
        callee_offers=True,
        carried_by_callee=True,
    ),
    "2xx, ACK": Pattern(
        fresh,
        lambda ends, body: ends.response("INVITE", 1, body),
        lambda ends, body: ends.request("ACK", 1, body),
        "INVITE",
        1,
        callee_offers=True,
    ),
    "2xx to a re-INVITE, ACK": Pattern(
        re_invited,
        lambda ends, body: ends.response("INVITE", 2, body),
        lambda ends, body: ends.request("ACK", 2, body),
        "INVITE",
        2,
        callee_offers=True,
    ),
    "2xx to a re-INVITE of the callee, ACK": Pattern(
        re_invited,
        lambda ends, body: ends.response("INVITE", 1, body, by_caller=True),
        lambda ends, body: ends.request("ACK", 1, body, by_callee=True),
        "INVITE",
        1,
        carried_by_callee=True,
    ),
    "INVITE, reliable 1xx": Pattern(
        fresh,
        lambda ends, body: ends.request("INVITE", 1, body),
        lambda ends, body: ends.response("INVITE", 1, body),
        "INVITE",
        1,
    ),
    "reliable 1xx, PRACK": Pattern(
        fresh,
        lambda ends, body: ends.response("INVITE", 1, body),
        lambda ends, body: ends.request("PRACK", 2, body),
        "INVITE",
        1,
        callee_offers=True,
    ),
    "PRACK, 2xx to PRACK": Pattern(
        agreed,
        lambda ends, body: ends.request("PRACK", 2, body),
        lambda ends, body: ends.response("PRACK", 2, body),
        "PRACK",
        2,
    ),
    "UPDATE, 2xx to UPDATE": Pattern(
        agreed,
        lambda ends, body: ends.request("UPDATE", 2, body),
        lambda ends, body: ends.response("UPDATE", 2, body),
        "UPDATE",
        2,
    ),
    "UPDATE of the callee, 2xx to UPDATE": Pattern(
        agreed,
        lambda ends, body: ends.request("UPDATE", 1, body, by_callee=True),
        lambda ends, body: ends.response("UPDATE", 1, body, by_caller=True),
        "UPDATE",
        1,
        callee_offers=True,
        carried_by_callee=True,
    ),
}


def open_states(pattern: Pattern) -> list[ExchangeState]:
    return [REMOTE, LOCAL] if pattern.callee_offers else [LOCAL, REMOTE]


@pytest.fixture(params=list(PATTERNS.values()), ids=list(PATTERNS))
def pattern(request: pytest.FixtureRequest) -> Pattern:
    found = request.param
    assert isinstance(found, Pattern)
    return found


# --- what comes of an offer, whatever carries it ---


def test_a_carrier_that_fails_takes_its_offer_with_it(pattern: Pattern) -> None:
    """Refused, cancelled, timed out: the pair from before stays in force (RFC 3261 §14.1, RFC 6337 §3.4)."""
    ends = pattern.begin()
    pattern.offer(ends, b"next")
    ends.fail(pattern.method, pattern.cseq, by_callee=pattern.carried_by_callee)
    assert ends.seen == pattern.before
    assert (ends.caller.offer, ends.callee.offer) == (None, None)
    assert pattern.offer(ends, b"again") == [OFFER, OFFER]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "PRACK", "INFO"])
@pytest.mark.parametrize("by_callee", [False, True])
def test_another_request_that_fails_leaves_the_offer_alone(
    pattern: Pattern, method: str, by_callee: bool
) -> None:
    ends = pattern.begin()
    pattern.offer(ends, b"next")
    before = ends.seen
    ends.fail(method, pattern.cseq + 1, by_callee=by_callee)
    ends.fail(pattern.method, pattern.cseq, by_callee=not pattern.carried_by_callee)
    assert ends.seen == before
    assert [ends.caller.offer, ends.callee.offer] == [b"next", b"next"]


def test_a_carrier_that_fails_after_the_answer_changes_nothing(pattern: Pattern) -> None:
    """Such as an INVITE that is cancelled after a reliable 183: its dialog ends, but not by the exchange."""
    ends = pattern.begin()
    pattern.offer(ends, b"next")
    pattern.answer(ends, b"its answer")
    before = ends.seen
    ends.fail(pattern.method, pattern.cseq, by_callee=pattern.carried_by_callee)
    assert ends.seen == before


def test_it_is_open_until_the_answer(pattern: Pattern) -> None:
    ends = pattern.begin()
    assert pattern.offer(ends, b"next") == [OFFER, OFFER]
    assert [state for state, _, _ in ends.seen] == open_states(pattern)
    assert [seen[1:] for seen in ends.seen] == [seen[1:] for seen in pattern.before]


def test_its_answer_puts_the_pair_in_force_on_both_sides(pattern: Pattern) -> None:
    ends = pattern.begin()
    pattern.offer(ends, b"next")
    assert pattern.answer(ends, b"its answer") == [ANSWER, ANSWER]
    offerer, answerer = (STABLE, b"next", b"its answer"), (STABLE, b"its answer", b"next")
    assert ends.seen == ((answerer, offerer) if pattern.callee_offers else (offerer, answerer))


def test_the_side_that_waits_for_an_answer_answers_an_offer_with_491(pattern: Pattern) -> None:
    """RFC 3311 §5.2: glare. It has made no offer in the eyes of the other yet."""
    ends = pattern.begin()
    pattern.offer(ends, b"next")
    offerer = ends.callee if pattern.callee_offers else ends.caller
    before = ends.seen
    with pytest.raises(RemoteProtocolError) as refused:
        take_request(offerer, (False, "UPDATE", 9), b"meanwhile")
    assert (refused.value.status, ends.seen) == (491, before)


def test_the_side_that_owes_an_answer_answers_an_offer_with_500(pattern: Pattern) -> None:
    ends = pattern.begin()
    pattern.offer(ends, b"next")
    answerer = ends.caller if pattern.callee_offers else ends.callee
    before = ends.seen
    with pytest.raises(RemoteProtocolError) as refused:
        take_request(answerer, (False, "UPDATE", 9), b"meanwhile")
    assert (refused.value.status, ends.seen) == (500, before)


def test_neither_side_offers_while_one_is_open(pattern: Pattern) -> None:
    ends = pattern.begin()
    pattern.offer(ends, b"next")
    before = ends.seen
    for exchange in (ends.caller, ends.callee):
        with pytest.raises(LocalProtocolError):
            give_request(exchange, (True, "UPDATE", 9), b"meanwhile")
    assert ends.seen == before


def test_a_message_without_a_description_changes_nothing(pattern: Pattern) -> None:
    ends = pattern.begin()
    pattern.offer(ends, b"next")
    before = ends.seen
    assert pattern.answer(ends, b"") == [NOTHING, NOTHING]
    assert ends.seen == before


def test_two_offers_that_cross_are_both_withdrawn() -> None:
    """Glare (RFC 3261 §14.1): each refuses the other's with 491, and the first pair stays."""
    ends = agreed()
    give_request(ends.caller, (True, "INVITE", 2), b"of the caller")
    give_request(ends.callee, (True, "UPDATE", 2), b"of the callee")
    crossed: list[tuple[Exchange[bytes], Carrier]] = [
        (ends.callee, (False, "INVITE", 2)),
        (ends.caller, (False, "UPDATE", 2)),
    ]
    for exchange, carrier in crossed:
        with pytest.raises(RemoteProtocolError) as refused:
            take_request(exchange, carrier, b"that came")
        assert refused.value.status == 491
        exchange.withdraw(carrier)  # what was refused was never taken
        assert exchange.state is LOCAL
    ends.caller.withdraw((True, "INVITE", 2))
    ends.callee.withdraw((True, "UPDATE", 2))
    assert ends.seen == FIRST_PAIR


# --- the same in a call ---

PAIRS = {200: (b"next", b"its answer"), 488: (CALL_OFFER, CALL_ANSWER), 491: (CALL_OFFER, CALL_ANSWER)}


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("status", PAIRS)
def test_the_pair_after_an_offer_of_ours(method: str, status: int) -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(b"next", world.now, method)
    carol.answer(carol.request, status, None, body=b"its answer" if status == 200 else b"")
    assert (agreement(alice), alice.session.exchange.offer) == (PAIRS[status], None)
    assert alice.session.is_established


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_the_pair_after_an_offer_that_nobody_answers(method: str) -> None:
    """The call ends; what was agreed is what it was."""
    world, alice, _ = called_peer()
    alice.session.reoffer(b"next", world.now, method)
    world.settle()
    assert (agreement(alice), alice.session.exchange.offer) == ((CALL_OFFER, CALL_ANSWER), None)
    assert not alice.session.is_established


def test_the_pair_after_a_reinvite_of_theirs_that_is_cancelled() -> None:
    world, bob, carol = called_by_peer()
    accepted = carol.response
    carol.send(bob.address, carol.inside(accepted, "INVITE", 2, body=b"next", branch="z9hG4bKtheirs"))
    carol.send(bob.address, carol.inside(accepted, "CANCEL", 2, branch="z9hG4bKtheirs"))
    assert [line.split()[3] for line in world.ladder("bob")] == ["200", "487"]
    assert (agreement(bob), bob.session.exchange.offer) == ((CALL_ANSWER, CALL_OFFER), None)


def test_each_fork_answers_for_itself() -> None:
    """The first 2xx is the call; the answer of the other changes nothing in it (RFC 3261 §13.2.2.4)."""
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    for phone in ("phone1", "phone2"):
        bob.answer(invite, 183, phone, body=b"a preview of " + phone.encode())
    bob.answer(invite, 200, "phone2", body=b"of phone2")
    bob.answer(invite, 200, "phone1", body=b"of phone1")
    assert (agreement(alice), alice.session.dialog.remote_tag) == ((CALL_OFFER, b"of phone2"), "phone2")


# --- an INVITE whose exchange is complete before its 2xx ---


def after_reliable_answer() -> Ends:
    ends = agreed()
    assert ends.seen == FIRST_PAIR
    return ends


def after_reliable_offer() -> Ends:
    """The INVITE had none, a reliable 183 made the offer, its PRACK answered."""
    ends = Ends()
    ends.response("INVITE", 1, FIRST_ANSWER)
    ends.request("PRACK", 2, FIRST_OFFER)
    assert ends.seen == FIRST_PAIR
    return ends


SETTLED = pytest.mark.parametrize("begin", [after_reliable_answer, after_reliable_offer])
CHANGES: dict[str, Step] = {
    "nothing": lambda ends, body: [],
    "PRACK": lambda ends, body: ends.request("PRACK", 3, body) + ends.response("PRACK", 3, body),
    "UPDATE of the caller": lambda ends, body: (
        ends.request("UPDATE", 3, body) + ends.response("UPDATE", 3, body)
    ),
    "UPDATE of the callee": lambda ends, body: (
        ends.request("UPDATE", 1, body, by_callee=True) + ends.response("UPDATE", 1, body, by_caller=True)
    ),
}


@SETTLED
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize("body", [b"", FIRST_ANSWER, b"another"], ids=["none", "repeated", "another"])
def test_later_responses_to_the_invite_are_ignored(
    begin: Callable[[], Ends], change: Step, body: bytes
) -> None:
    """RFC 3261 §13.2.1: a description in a later response to the INVITE "MUST" be ignored, also when
    another request has changed the session in the meantime (RFC 6337 §3.1.1).
    """
    ends = begin()
    change(ends, b"changed")
    before = ends.seen
    assert ends.response("INVITE", 1, body) == [NOTHING, NOTHING]
    assert ends.seen == before


@SETTLED
def test_while_a_later_offer_is_open_they_are_ignored_too(begin: Callable[[], Ends]) -> None:
    ends = begin()
    ends.request("UPDATE", 3, b"next")
    before = ends.seen
    assert ends.response("INVITE", 1, FIRST_ANSWER) == [NOTHING, NOTHING]
    assert ends.seen == before
    assert ends.response("UPDATE", 3, b"its answer") == [ANSWER, ANSWER]


def test_the_2xx_to_an_invite_without_offer_need_not_wait_for_an_update_to_be_told_apart() -> None:
    """A re-INVITE without an offer after an UPDATE: its 2xx makes the offer."""
    ends = agreed()
    ends.request("UPDATE", 2, b"next")
    ends.response("UPDATE", 2, b"its answer")
    assert ends.request("INVITE", 3, b"") == [NOTHING, NOTHING]
    assert ends.response("INVITE", 3, b"late") == [OFFER, OFFER]
    assert ends.request("ACK", 3, b"last") == [ANSWER, ANSWER]
    assert ends.seen == ((STABLE, b"last", b"late"), (STABLE, b"late", b"last"))


# --- answers find the offer that they are for ---


@pytest.mark.parametrize("method", ["ACK", "PRACK"])
@pytest.mark.parametrize(
    ("carrier", "kept"), [((False, "UPDATE", 1), REMOTE), ((False, "INVITE", 1), REMOTE)]
)
def test_an_ack_or_prack_of_ours_answers_only_what_a_response_to_our_invite_offered(
    method: str, carrier: Carrier, kept: ExchangeState
) -> None:
    exchange = Exchange(b"ours", b"theirs")
    take_request(exchange, carrier, b"their offer")
    with pytest.raises(LocalProtocolError):
        give_request(exchange, (True, method, 2), b"answer")
    assert (exchange.state, exchange.local, exchange.remote) == (kept, b"ours", b"theirs")


@pytest.mark.parametrize("carrier", [(True, "UPDATE", 2), (True, "INVITE", 2)])
def test_a_prack_of_the_peer_answers_only_what_our_response_to_its_invite_offered(carrier: Carrier) -> None:
    exchange = Exchange(b"ours", b"theirs")
    give_request(exchange, carrier, b"our offer")
    with pytest.raises(RemoteProtocolError) as refused:
        take_request(exchange, (False, "PRACK", 2), b"their offer")
    assert (refused.value.status, exchange.state) == (491, LOCAL)


@pytest.mark.parametrize("carrier", [(True, "UPDATE", 2), (True, "INVITE", 2)])
def test_an_ack_of_the_peer_never_makes_an_offer(carrier: Carrier) -> None:
    exchange = Exchange(b"ours", b"theirs")
    give_request(exchange, carrier, b"our offer")
    assert take_request(exchange, (False, "ACK", 1), b"what is this") is NOTHING
    assert (exchange.state, exchange.offer) == (LOCAL, b"our offer")


@pytest.mark.parametrize("method", ["UPDATE", "PRACK"])
def test_a_2xx_to_update_or_prack_makes_no_offer(method: str) -> None:
    """Table 1: only responses to INVITE do."""
    exchange = Exchange(b"ours", b"theirs")
    assert take_response(exchange, (True, method, 2), b"what is this") is NOTHING
    assert exchange.state is STABLE


def test_the_response_to_another_request_is_no_answer() -> None:
    exchange = Exchange(b"ours", b"theirs")
    give_request(exchange, (True, "UPDATE", 3), b"our offer")
    assert take_response(exchange, (True, "INVITE", 2), b"late") is NOTHING
    assert (exchange.state, exchange.offer) == (LOCAL, b"our offer")


@pytest.mark.parametrize("method", ["UPDATE", "PRACK"])
def test_our_2xx_to_update_or_prack_makes_no_offer(method: str) -> None:
    exchange = Exchange(b"ours", b"theirs")
    with pytest.raises(LocalProtocolError):
        give_response(exchange, (False, method, 2), b"what is this")
    assert exchange.state is STABLE


def test_our_response_to_the_peers_invite_1_does_not_repeat_what_our_invite_1_settled() -> None:
    """The CSeq numbers of the two sides are counted apart (RFC 3261 §12.2.1.1)."""
    exchange: Exchange[bytes] = Exchange()
    give_request(exchange, (True, "INVITE", 1), b"ours")
    take_response(exchange, (True, "INVITE", 1), b"theirs")
    assert take_request(exchange, (False, "INVITE", 1), b"") is NOTHING
    assert give_response(exchange, (False, "INVITE", 1), b"late") is OFFER
    exchange.withdraw((True, "INVITE", 1))
    assert (exchange.state, exchange.offer) == (LOCAL, b"late")
    assert take_request(exchange, (False, "ACK", 1), b"last") is ANSWER
    assert (exchange.local, exchange.remote) == (b"late", b"last")
