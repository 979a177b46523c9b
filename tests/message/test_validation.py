"""The checks before any use (RFC 3261 §8.2, RFC 4475 §3.3)."""

from __future__ import annotations

import pytest
from hypothesis import given

from sipstack.message import Headers, MalformedMessage, Request, Response, validate
from tests import strategies

FIELDS = Headers(
    [
        ("Via", "SIP/2.0/UDP a;branch=z9hG4bK1"),
        ("From", "<sip:a>;tag=1"),
        ("To", "<sip:b>"),
        ("Call-ID", "c"),
        ("CSeq", "1 OPTIONS"),
    ]
)


def refused(message: Request | Response) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        validate(message)
    return caught.value


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_mandatory_field_is_missing(name: str) -> None:
    error = refused(Request("OPTIONS", "sip:b", FIELDS.without(name)))
    assert error.status == 400
    assert (error.request is None) == (name == "Via")
    assert refused(Response(200, headers=FIELDS.without(name))).request is None


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq"])
def test_a_mandatory_field_comes_twice(name: str) -> None:
    fields = FIELDS.append(name, FIELDS.get(name))
    error = refused(Request("OPTIONS", "sip:b", fields))
    assert error.request is not None
    assert len(error.request.headers) == 5
    assert refused(Response(200, headers=fields)).status == 400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Via", "SIP/2.0/UDP"),
        ("Via", "SIP/2.0/UDP a;;"),
        ("From", "<sip:a"),
        ("To", '"a <sip:b>'),
        ("To", ""),
        ("Call-ID", "a b"),
        ("CSeq", "x OPTIONS"),
        ("CSeq", "2147483648 OPTIONS"),
    ],
)
def test_a_mandatory_field_is_broken(name: str, value: str) -> None:
    assert refused(Request("OPTIONS", "sip:b", FIELDS.with_(name, value))).status == 400
    assert refused(Response(200, headers=FIELDS.with_(name, value))).status == 400


def test_the_cseq_names_another_method() -> None:
    error = refused(Request("INVITE", "sip:b", FIELDS))
    assert error.request is not None
    assert error.request.response(400).cseq.method == "OPTIONS"
    validate(Response(200, headers=FIELDS))


def test_the_request_uri_counts_outside_a_dialog() -> None:
    error = refused(Request("OPTIONS", "<sip:b>", FIELDS))
    assert error.request is not None
    assert error.request.uri_text == "<sip:b>"
    validate(Request("OPTIONS", "<sip:b>", FIELDS.with_("To", "<sip:b>;tag=2")))


@given(strategies.messages)
def test_good_messages_pass(message: Request | Response) -> None:
    validate(message)
