"""Diversion (RFC 5806) and History-Info (RFC 7044)."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import Diversion, Headers, HistoryEntry, Reason


@pytest.mark.parametrize("text", ["", "bob", "<sip:bob@b.test", "<sip:bob@b.test> reason=x"])
def test_not_a_diversion(text: str) -> None:
    with pytest.raises(ParseError):
        Diversion.parse(text)


def test_a_diversion_says_who_passed_the_call_on_and_why() -> None:
    text = '"Bob" <sip:bob@b.test>;reason="No-Answer";counter=2;limit=5;privacy=Full;screen=no'
    diversion = Diversion.parse(text)
    assert str(diversion.uri) == "sip:bob@b.test"
    assert (diversion.reason, diversion.counter, diversion.limit) == ("no-answer", 2, 5)
    assert diversion.privacy == "full"
    assert Diversion.parse(str(diversion)) == diversion


def test_a_diversion_that_says_no_more_is_one_for_an_unknown_reason() -> None:
    diversion = Diversion.parse("<tel:+12155551212>")
    assert (diversion.reason, diversion.counter, diversion.limit) == ("unknown", 1, None)
    assert diversion.privacy == "off"


@pytest.mark.parametrize("count", ["x", "-1", "99999999", "1" * 5000])
def test_a_count_of_diversions_is_a_number(count: str) -> None:
    diversion = Diversion.parse(f"<sip:bob@b.test>;counter={count};limit={count}")
    with pytest.raises(ParseError):
        _ = diversion.counter
    with pytest.raises(ParseError):
        _ = diversion.limit


def test_the_latest_diversion_stands_first_in_one_line_or_many() -> None:
    headers = Headers([("Diversion", "<sip:c@c.test>, <sip:b@b.test>"), ("Diversion", "<sip:a@a.test>")])
    assert [each.uri.user for each in headers.typed("Diversion")] == ["c", "b", "a"]


@pytest.mark.parametrize(
    "index", ["", ";index", ";index=", ";index=a", ";index=1..2", ";index=1.", ";index=-1"]
)
def test_an_entry_of_history_needs_its_index(index: str) -> None:
    with pytest.raises(ParseError):
        HistoryEntry.parse(f"<sip:bob@b.test>{index}")


def test_an_index_is_bounded() -> None:
    with pytest.raises(ParseError):
        HistoryEntry.parse("<sip:bob@b.test>;index=" + ".".join(["1"] * 1000))
    with pytest.raises(ParseError):
        HistoryEntry.parse("<sip:bob@b.test>;index=" + "1" * 5000)


def test_the_history_of_a_call_as_rfc_7044_shows_it() -> None:
    """§5.2, with the escapes that the header components of a URI need."""
    text = (
        "<sip:bob@example.com?Reason=SIP%3Bcause%3D302>;index=1;foo=bar,"
        " <sip:bob@192.0.2.4?Reason=SIP%3Bcause%3D486%2CQ.850%3Bcause%3D17>;index=1.1;rc=1,"
        " <sip:office@example.com?Privacy=history>;index=1.2;mp=1"
    )
    first, second, third = Headers([("History-Info", text)]).typed("History-Info")
    assert (first.index, second.index, third.index) == ((1,), (1, 1), (1, 2))
    assert (first.how, second.how, third.how) == (None, "rc", "mp")
    assert str(second.target) == "sip:bob@192.0.2.4"
    assert first.reasons == (Reason.parse("SIP;cause=302"),)
    assert [(each.protocol, each.cause) for each in second.reasons] == [("SIP", 486), ("Q.850", 17)]
    assert (first.privacy, third.privacy) == ((), ("history",))


def test_of_reasons_that_cannot_be_read_the_others_are_left() -> None:
    entry = HistoryEntry.parse("<sip:b@b.test?Reason=%3B%3B%2CSIP%3Bcause%3D408&Reason=x%20y>;index=1")
    assert [each.cause for each in entry.reasons] == [408]


def test_a_target_that_is_no_sip_uri_has_neither_reasons_nor_privacy() -> None:
    entry = HistoryEntry.parse("<tel:+12155551212>;index=1.1;np=1")
    assert (str(entry.target), entry.how) == ("tel:+12155551212", "np")
    assert not entry.reasons
    assert not entry.privacy
