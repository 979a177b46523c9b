"""Fields that are one value with parameters."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import (
    DialogReference,
    Disposition,
    Event,
    MediaType,
    Parameterised,
    Parameters,
    Reason,
    SessionExpires,
    SubscriptionState,
)


@pytest.mark.parametrize("text", ["", ";a", "a b", "a;;b", "a,b", '"a"'])
def test_not_a_value_with_parameters(text: str) -> None:
    with pytest.raises(ParseError):
        Parameterised.parse(text)


def test_a_value_with_parameters() -> None:
    assert Parameterised.parse(" gzip ; q=0.5") == Parameterised("gzip", Parameters({"q": "0.5"}))


@pytest.mark.parametrize("q", ["", "2", "1.1", "0.1234", "-1", "x", ".5", "1e0"])
def test_not_a_preference(q: str) -> None:
    with pytest.raises(ParseError):
        _ = Parameterised("a", Parameters({"q": q})).q


@pytest.mark.parametrize(("q", "value"), [("0", 0.0), ("0.75", 0.75), ("1.000", 1.0), ("0.", 0.0)])
def test_preference(q: str, value: float) -> None:
    assert Parameterised("a", Parameters({"q": q})).q == value
    assert Parameterised("a").q == 1.0


@pytest.mark.parametrize("text", ["", "a", "a/", "/b", "a/b/c", "a/b c", 'a/b;c="d'])
def test_not_a_media_type(text: str) -> None:
    with pytest.raises(ParseError):
        MediaType.parse(text)


def test_media_type() -> None:
    media = MediaType.parse('Multipart / Mixed ; boundary="a;b"')
    assert (media.type, media.subtype, media.media_type) == ("multipart", "mixed", "multipart/mixed")
    assert media.parameters.text("boundary") == "a;b"
    assert str(media) == 'multipart/mixed;boundary="a;b"'


def test_media_ranges_include_types() -> None:
    sdp = MediaType("application", "sdp")
    ranges = ["*/*", "application/*", "APPLICATION/SDP;level=1", "text/*", "application/json"]
    assert [MediaType.parse(text).includes(sdp) for text in ranges] == [True, True, True, False, False]


def test_disposition() -> None:
    assert Disposition.parse("session").required
    assert Disposition.parse("session;handling=required").required
    assert not Disposition.parse("render;handling=Optional").required


def test_event() -> None:
    event = Event.parse("presence.winfo;id=7")
    assert (event.package, event.id, Event.parse("refer").id) == ("presence.winfo", "7", None)


def test_subscription_state() -> None:
    state = SubscriptionState.parse("Terminated;reason=probation;retry-after=60")
    assert (state.state, state.reason, state.retry_after, state.expires) == (
        "terminated",
        "probation",
        60,
        None,
    )
    assert SubscriptionState.parse("active;expires=3600").expires == 3600
    with pytest.raises(ParseError):
        _ = SubscriptionState.parse("active;expires=soon").expires


def test_reason() -> None:
    reason = Reason.parse('Q.850;cause=16;text="Normal \\"clearing\\""')
    assert (reason.protocol, reason.cause, reason.text) == ("Q.850", 16, 'Normal "clearing"')
    assert (Reason.parse("SIP").cause, Reason.parse("SIP").text) == (None, None)
    with pytest.raises(ParseError):
        _ = Reason.parse("SIP;cause=x").cause


@pytest.mark.parametrize("text", ["", "x", "-1", "4294967296", "90 91"])
def test_not_a_session_interval(text: str) -> None:
    with pytest.raises(ParseError):
        SessionExpires.parse(text)


def test_session_expires() -> None:
    expires = SessionExpires.parse("1800;refresher=UAC;x")
    assert (expires.interval, expires.refresher, str(expires)) == (1800, "uac", "1800;refresher=UAC;x")
    assert SessionExpires.parse("90").refresher is None


@pytest.mark.parametrize(
    "text", ["", "a@b", "a@b;to-tag=1", "a@b;from-tag=1", "a@b;to-tag;from-tag=1", ";to-tag=1;from-tag=2"]
)
def test_not_a_dialog(text: str) -> None:
    with pytest.raises(ParseError):
        DialogReference.parse(text)


def test_dialog_reference() -> None:
    replaces = DialogReference.parse("425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only")
    assert (replaces.call_id, replaces.to_tag, replaces.from_tag) == (
        "425928@bobster.example.org",
        "7743",
        "6472",
    )
    assert replaces.early_only
    assert not DialogReference.parse("a;from-tag=1;to-tag=2").early_only
