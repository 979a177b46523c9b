"""Contact: addresses, or * (RFC 3261 §20.10)."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import WILDCARD, NameAddr, Request
from sipstack.message.contact import parse_contact


def register(*contacts: str) -> Request:
    return Request("REGISTER", "sip:example.com", [("Contact", contact) for contact in contacts])


def test_an_address_or_the_wildcard() -> None:
    assert parse_contact("*") is WILDCARD
    assert parse_contact("<sip:a@b>;expires=60") == NameAddr.parse("<sip:a@b>;expires=60")
    with pytest.raises(ParseError):
        parse_contact("**")


def test_the_wildcard_is_no_contact() -> None:
    message = register("*")
    assert message.wildcard_contact
    assert message.contacts == ()


def test_contacts_over_several_lines() -> None:
    message = register('"A, B" <sip:a@b>, sip:c', "<sip:d>")
    assert [str(contact.uri) for contact in message.contacts] == ["sip:a@b", "sip:c", "sip:d"]
    assert not message.wildcard_contact


def test_no_contact() -> None:
    assert register().contacts == ()
    assert not register().wildcard_contact


@pytest.mark.parametrize("contacts", [("*", "<sip:a>"), ("<sip:a>", "*"), ("*, <sip:a>",), ("*", "*")])
def test_the_wildcard_stands_alone(contacts: tuple[str, ...]) -> None:
    with pytest.raises(ParseError):
        _ = register(*contacts).contacts


@pytest.mark.parametrize(
    ("contact", "read"),
    [
        ("", []),
        ("<sip:a>,", ["<sip:a>"]),
        (",", []),
        ('"Joe" <sip:joe@example.org>;;;;', ['"Joe" <sip:joe@example.org>']),
    ],
)
def test_empty_elements_are_passed_over(contact: str, read: list[str]) -> None:
    assert [str(address) for address in register(contact).contacts] == read
