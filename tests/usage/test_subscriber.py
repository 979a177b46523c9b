"""The subscriber's side of RFC 6665, when the other side or the network behaves as it likes."""

from __future__ import annotations

import pytest

from sipstack.errors import TransactionTimeout
from sipstack.message.digest import DigestAccount
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.peer import ScriptedPeer
from sipstack.usage.subscription_events import Notified, Over
from tests.usage.subscribing import Subscribed

OVER = "terminated;reason=noresource"

# --- the first SUBSCRIBE ---


@pytest.mark.parametrize("status", [302, 403, 481, 489, 503])
def test_a_refusal(status: int) -> None:
    it = Subscribed()
    it.answer(status, headers=[("Retry-After", "7")])
    assert it.notify() == 481
    it.world.settle()
    over = it.alice.last(Over)
    assert over.response is not None
    assert (it.told, over.response.status, over.retry_after) == ([f"over: {status}"], status, 7)
    assert it.alice.leftovers == []


def test_nobody_answers() -> None:
    it = Subscribed()
    it.world.settle()
    assert [type(event.error) for event in it.alice.events if isinstance(event, Over)] == [TransactionTimeout]
    assert (len(it.told), it.alice.leftovers) == (1, [])


def test_it_is_accepted_but_no_notify_comes() -> None:
    """§4.1.2.4: Timer N"""
    it = Subscribed()
    it.answer(200)
    it.world.run(31.9)
    assert it.told == ["accepted"]
    it.world.settle()
    assert it.told == ["accepted", "over: SUBSCRIBE was accepted, but no NOTIFY came"]
    assert (it.alice.leftovers, it.notify()) == ([], 481)


def test_an_interval_that_is_too_brief_is_lengthened() -> None:
    """§4.1.2.1: 423 names the least"""
    it = Subscribed(expires=60)
    it.answer(423, headers=[("Min-Expires", "900")])
    it.answer(200)
    assert (it.notify(), it.expires, it.told) == (200, [60, 900], ["accepted", "active by peer"])


@pytest.mark.parametrize("minimum", ["60", "0", "x", "9" * 30])
def test_an_interval_that_does_not_help_is_a_refusal(minimum: str) -> None:
    it = Subscribed(expires=60)
    it.answer(423, headers=[("Min-Expires", minimum)])
    assert (it.expires, it.told) == ([60], ["over: 423"])


def test_what_the_subscribe_says() -> None:
    it = Subscribed()
    headers = it.carol.request.headers
    named = ("Event", "Expires", "Accept", "Contact", "Allow-Events")
    assert [headers.get(name) for name in named] == [
        "presence",
        "3600",
        "application/pidf+xml",
        "<sip:alice@192.0.2.1:5060>",
        "presence",
    ]


# --- NOTIFY ---


def test_a_notify_before_the_2xx_makes_the_dialog() -> None:
    """§4.4.1"""
    it = Subscribed()
    assert it.notify() == 200
    assert it.told == ["active by peer"]
    first = next(each for each in it.carol.requests if each.method == "SUBSCRIBE")
    it.carol.answer(first, 200)
    assert (it.notify(2), it.told) == (200, ["active by peer", "accepted", "active by peer"])
    assert (it.notify(3, OVER), it.notify(4)) == (200, 481)
    it.world.settle()
    assert (it.told[-1], it.alice.leftovers) == ("over: noresource", [])


def test_a_notify_before_the_2xx_and_a_2xx_that_never_comes() -> None:
    it = Subscribed()
    it.notify()
    it.world.run(100)
    it.carol.answer(it.carol.request, 200, None)
    assert (it.told, it.notify(2)) == (["active by peer"], 200)


@pytest.mark.parametrize("status", [200, 481, 423, None])
def test_a_subscription_that_is_over_before_its_subscribe_is_answered(status: int | None) -> None:
    it = Subscribed(expires=60)
    it.notify(1, OVER)
    if status is not None:
        first = next(each for each in it.carol.requests if each.method == "SUBSCRIBE")
        it.carol.answer(first, status, headers=[("Min-Expires", "900")])
    it.world.settle()
    assert it.told == ["terminated by peer", "over: noresource"]
    assert (it.expires, it.alice.leftovers) == ([60], [])


@pytest.mark.parametrize(
    ("part", "status"),
    [
        ({"event": "dialog"}, 489),
        ({"event": "presence;id=7"}, 481),
        ({"state": None}, 400),
        ({"state": "@"}, 400),
        ({"contact": "<tel:+1>"}, 400),
        ({"contact": "<sip:a@h>, <sip:b@h>"}, 400),
        ({"to_tag": "another"}, 481),
    ],
)
def test_a_notify_that_makes_no_subscription(part: dict[str, str | None], status: int) -> None:
    it = Subscribed()
    it.answer(200)
    refused = it.notify(**part)  # type: ignore[arg-type]
    assert refused == status or (refused, status) == (481, 489)
    assert not [each for each in it.alice.events if isinstance(each, Notified)]
    it.world.settle()
    assert it.alice.leftovers == []


def test_notifies_that_overtake_each_other() -> None:
    """The older is refused, and changes nothing (RFC 3261 §12.2.2)."""
    it = Subscribed()
    it.answer(200)
    assert [it.notify(5), it.notify(3, OVER), it.notify(6)] == [200, 500, 200]
    assert it.told == ["accepted", "active by peer", "active by peer"]


def test_a_state_that_nobody_knows_is_as_good_as_active() -> None:
    it = Subscribed()
    it.answer(200)
    assert (it.notify(1, "waxing;expires=77;x=y"), it.told[-1]) == (200, "waxing by peer")


@pytest.mark.parametrize("expires", ["expires=x", "expires=" + "9" * 40, "expires="])
def test_a_time_that_cannot_be_read_is_as_good_as_none(expires: str) -> None:
    it = Subscribed(expires=600)
    it.answer(200)
    assert it.notify(1, f"active;{expires}") in (200, 400)
    it.world.run(700)
    assert it.alice.faults == []


# --- forks ---


def test_where_a_package_has_one_notifier_the_first_counts() -> None:
    """§5.4.9"""
    it = Subscribed("presence")
    it.answer(200)
    assert [it.notify(tag="one"), it.notify(tag="two"), it.notify(2, tag="one")] == [200, 481, 200]
    assert it.told == ["accepted", "active by one", "active by one"]


def test_where_it_may_have_several_each_is_a_subscription_of_its_own() -> None:
    it = Subscribed("dialog")
    dave = ScriptedPeer(it.world, "dave", ("192.0.2.4", 5060))
    it.answer(200)
    assert [it.notify(tag="one"), it.notify(7, tag="two", contact=f"<{dave.uri}>")] == [200, 200]
    it.world.ladder()
    it.usage.refresh(it.world.now)
    it.carol.answer(it.carol.request, 200, None)
    dave.answer(dave.request, 481, None)
    assert (it.carol.request.to.tag, dave.request.to.tag) == ("one", "two")
    assert it.told[1:] == ["active by one", "active by two"]  # one of them is over, and the other goes on
    it.usage.unsubscribe(it.world.now)
    it.carol.answer(it.carol.request, 200, None)
    it.notify(2, "terminated;reason=timeout", tag="one")
    it.world.settle()
    assert (it.told[-2:], it.alice.leftovers) == (["terminated by one", "over: timeout"], [])


def test_forks_are_bounded() -> None:
    it = Subscribed("dialog")
    it.answer(200)
    statuses = [it.notify(tag=f"fork{number}") for number in range(40)]
    assert statuses == [200] * 32 + [481] * 8


# --- refresh ---


def test_a_refresh_comes_in_time_and_again() -> None:
    it = Subscribed(expires=600)
    it.answer(200, headers=[("Expires", "600")])
    it.notify(1, "active;expires=600")
    it.carol.on_request = lambda request: [request.response(200, headers=[("Expires", "600")])]
    it.world.run(3000)
    assert 5 <= len(it.expires) - 1 <= 6  # each after 440 to 528 s
    assert it.told == ["accepted", "active by peer"]


def test_the_notifier_shortens_the_time() -> None:
    """§4.1.3: expires of the NOTIFY counts"""
    it = Subscribed(expires=3600)
    it.answer(200, headers=[("Expires", "3600")])
    it.notify(1, "active;expires=120")
    it.world.run(50)
    assert it.expires == [3600, 3600]


@pytest.mark.parametrize("early", [True, False])
def test_where_the_notify_does_not_say_how_long_the_2xx_does(early: bool) -> None:
    it = Subscribed(expires=3600)
    if early:
        it.notify(1, "active")
    first = next(each for each in it.carol.requests if each.method == "SUBSCRIBE")
    it.carol.answer(first, 200, headers=[("Expires", "120")])
    if not early:
        it.notify(1, "active")
    it.world.run(50)
    assert it.expires == [3600, 3600]


def test_the_refresh_takes_the_new_contact_of_the_notifier() -> None:
    it = Subscribed(expires=600)
    dave = ScriptedPeer(it.world, "dave", ("192.0.2.4", 5060))
    it.answer(200)
    it.notify(1, "active;expires=600")
    it.notify(2, "active;expires=600", contact=f"<{dave.uri}>")
    it.usage.refresh(it.world.now)
    assert (dave.request.method, dave.request.uri_text) == ("SUBSCRIBE", dave.uri)


@pytest.mark.parametrize("status", [404, 481, 489, 604, 403])
def test_a_refusal_of_the_refresh_that_is_the_end(status: int) -> None:
    """§4.1.2.2"""
    it = Subscribed()
    it.answer(200)
    it.notify()
    it.usage.refresh(it.world.now)
    it.answer(status)
    it.world.settle()
    assert (it.told[-1], it.alice.leftovers) == (f"over: {status}", [])


def test_any_other_refusal_leaves_it_as_it_is_and_it_is_tried_again() -> None:
    """§4.1.2.2: the subscription lasts as long as was granted"""
    it = Subscribed(expires=600)
    it.answer(200)
    it.notify(1, "active;expires=600")
    it.usage.refresh(it.world.now)
    it.answer(500, headers=[("Retry-After", "20")])
    it.world.run(60)
    assert len(it.expires) == 3
    it.answer(200)
    assert it.told == ["accepted", "active by peer"]


def test_a_refresh_that_is_lost_altogether_is_tried_again_in_time() -> None:
    """Timer F is 32 s; the next attempt still fits."""
    it = Subscribed(expires=300)
    it.answer(200)
    it.notify(1, "active;expires=300")
    it.world.network.partition(["192.0.2.1"], ["192.0.2.3"])
    it.world.run(262)
    it.world.network.heal()
    it.world.run(30)
    it.answer(200)
    it.world.run(250)
    assert it.told == ["accepted", "active by peer"]


def test_refreshes_that_nobody_answers_until_it_runs_out() -> None:
    it = Subscribed(expires=300)
    it.answer(200)
    it.notify(1, "active;expires=300")
    it.world.run(299)
    assert it.told == ["accepted", "active by peer"]
    it.world.settle()
    assert it.told[-1] == "over: the subscription has run out: its refresh was not answered"
    assert it.alice.leftovers == []


def test_a_refresh_that_is_too_brief() -> None:
    it = Subscribed(expires=600)
    it.answer(200)
    it.notify(1, "active;expires=600")
    it.usage.refresh(it.world.now)
    it.answer(423, headers=[("Min-Expires", "1200")])
    it.answer(200)
    assert (it.expires, it.told) == ([600, 600, 1200], ["accepted", "active by peer"])


def test_a_refresh_is_due_while_one_is_under_way() -> None:
    """A NOTIFY has told another time meanwhile: it waits its turn."""
    it = Subscribed(expires=600)
    it.answer(200)
    it.notify(1, "active;expires=600")
    it.usage.refresh(it.world.now)
    it.notify(2, "active;expires=20")
    it.world.run(15)
    assert it.expires == [600, 600]
    it.answer(200)
    assert it.expires == [600, 600, 600]


def test_credentials_go_on_in_the_dialog() -> None:
    it = Subscribed(account=DigestAccount("alice", "secret"))
    challenge = [("WWW-Authenticate", 'Digest realm="moon", nonce="1"')]
    it.answer(401, headers=challenge)
    it.answer(200)
    it.notify()
    it.usage.refresh(it.world.now)
    assert (it.carol.request.cseq.number, "Authorization" in it.carol.request.headers) == (3, True)


# --- the end ---


def test_unsubscribing() -> None:
    """§4.1.2.3: the last NOTIFY ends it"""
    it = Subscribed()
    it.answer(200)
    it.notify()
    it.world.ladder()
    it.usage.unsubscribe(it.world.now)
    it.answer(200)
    it.notify(2, "terminated;reason=timeout")
    it.world.settle()
    assert it.world.ladder() == ladder("""
        alice -> carol    SUBSCRIBE sip:carol@192.0.2.3:5060 [2]
        carol -> alice    200 OK [2 SUBSCRIBE]
        carol -> alice    NOTIFY sip:alice@192.0.2.1:5060 [2]
        alice -> carol    200 OK [2 NOTIFY]
    """)
    assert (it.expires, it.alice.leftovers) == ([3600, 0], [])


def test_unsubscribing_before_anything_has_come() -> None:
    """What the SUBSCRIBE makes is ended as soon as it is there."""
    it = Subscribed()
    it.usage.unsubscribe(it.world.now)
    assert it.expires == [3600]
    it.answer(200)
    it.notify()
    assert it.expires == [3600, 0]
    it.answer(200)
    it.notify(2, "terminated;reason=timeout")
    it.world.settle()
    assert (it.told[-1], it.alice.leftovers) == ("over: timeout", [])


@pytest.mark.parametrize("status", [200, 481, 500])
def test_unsubscribing_while_a_refresh_is_under_way(status: int) -> None:
    """One follows the other: what comes last counts."""
    it = Subscribed()
    it.answer(200)
    it.notify()
    it.usage.refresh(it.world.now)
    it.world.run(1)
    it.usage.unsubscribe(it.world.now)
    refresh = it.carol.request
    it.world.run(0.1)
    it.carol.answer(refresh, status, None)
    assert it.expires[-1] == (3600 if status == 481 else 0)
    it.world.settle()
    assert it.alice.leftovers == []


@pytest.mark.parametrize("status", [200, 481, 503])
def test_the_last_notify_never_comes(status: int) -> None:
    it = Subscribed()
    it.answer(200)
    it.notify()
    it.usage.unsubscribe(it.world.now)
    it.answer(status)
    it.world.settle()
    assert (it.told[-1][:5], it.alice.leftovers) == ("over:", [])


def test_a_poll() -> None:
    """§4.4.3"""
    it = Subscribed(expires=0)
    it.answer(200)
    it.notify(1, "terminated;reason=timeout", body=b"now")
    it.world.settle()
    assert (it.expires, it.told) == ([0], ["accepted", "terminated by peer", "over: timeout"])
    assert it.alice.leftovers == []


def test_a_poll_that_a_notifier_takes_for_a_subscription() -> None:
    it = Subscribed(expires=0)
    it.answer(200)
    it.notify(1, "active")
    it.world.settle()
    assert (it.told[:2], it.alice.leftovers) == (["accepted", "active by peer"], [])


def test_no_message_is_lost_of_a_ladder_with_times() -> None:
    it = Subscribed(expires=60)
    it.answer(200)
    it.notify(1, "active;expires=60")
    it.world.run(25)
    it.answer(481)
    it.world.settle()
    lines = it.world.timed_ladder()
    assert lines[:4] == timed("""
        0.0   alice -> carol    SUBSCRIBE sip:carol@192.0.2.3:5060 [1]
        0.0   carol -> alice    200 OK [1 SUBSCRIBE]
        0.0   carol -> alice    NOTIFY sip:alice@192.0.2.1:5060 [1]
        0.0   alice -> carol    200 OK [1 NOTIFY]
    """)
    assert 16.6 <= lines[4][0] <= 20  # the rule for bindings, too: two lost attempts fit
