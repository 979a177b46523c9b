"""reg: where an address-of-record is registered (RFC 3680)."""

from __future__ import annotations

import attrs

from sipstack.errors import ParseError
from sipstack.usage.packages.package import EventPackage
from sipstack.usage.packages.versions import following, numbered
from sipstack.usage.packages.xml import (
    Element,
    number_or_none,
    parse_xml,
    whole_number,
    write_document,
    write_element,
    write_leaf,
)

NAMESPACE = "urn:ietf:params:xml:ns:reginfo"
MOST = 1_000
"""Registrations, and contacts of each, that are kept."""


@attrs.frozen
class RegisteredContact:
    """A binding. ``state``: "active" or "terminated"; ``event``: what happened last, such as "registered",
    "refreshed", "expired". ``expires``: the seconds that are left.
    """

    id: str
    uri: str
    state: str
    event: str = ""
    expires: int | None = None
    display_name: str = ""


@attrs.frozen
class RegisteredAddress:
    """An address-of-record. ``state``: "init" (never registered), "active" or "terminated"."""

    id: str
    aor: str
    state: str
    contacts: tuple[RegisteredContact, ...] = ()


@attrs.frozen
class RegistrationInfo:
    """What a registrar has. ``whole``: all of it, or only what has changed; ``version`` counts up."""

    registrations: tuple[RegisteredAddress, ...] = ()
    version: int = 0
    whole: bool = True


def read_registrations(body: bytes) -> RegistrationInfo:
    """Raises ParseError."""
    root = parse_xml(body, "reginfo")
    version = whole_number(root.get("version"), "version of reginfo")
    found = tuple(_address(each) for each in root.all("registration"))
    if len(found) > MOST or any(len(each.contacts) > MOST for each in found):
        raise ParseError("reginfo is too long")
    return RegistrationInfo(found, version, root.get("state") != "partial")


def _address(element: Element) -> RegisteredAddress:
    contacts = tuple(
        RegisteredContact(
            each.get("id"),
            each.text_of("uri"),
            each.get("state"),
            each.get("event"),
            number_or_none(each.get("expires")),
            each.text_of("display-name"),
        )
        for each in element.all("contact")
    )
    return RegisteredAddress(element.get("id"), element.get("aor"), element.get("state"), contacts)


def merge_registrations(known: RegistrationInfo | None, came: RegistrationInfo) -> RegistrationInfo | None:
    """The registrations after a notification (§5.1); None where one has been missed."""
    return following(known, came, _changed)


def _changed(known: RegistrationInfo, came: RegistrationInfo) -> RegistrationInfo:
    found = {each.id: each for each in (*known.registrations, *came.registrations)}
    return RegistrationInfo(tuple(found.values())[-MOST:], came.version)


def write_registrations(info: RegistrationInfo) -> bytes:
    """The inverse of ``read_registrations``."""
    state = "full" if info.whole else "partial"
    attributes = {"xmlns": NAMESPACE, "version": info.version, "state": state}
    return write_document(write_element("reginfo", attributes, *map(_write_address, info.registrations)))


def _write_address(address: RegisteredAddress) -> str:
    attributes = {"aor": address.aor, "id": address.id, "state": address.state}
    return write_element("registration", attributes, *map(_write_contact, address.contacts))


def _write_contact(contact: RegisteredContact) -> str:
    attributes = {
        "id": contact.id,
        "state": contact.state,
        "event": contact.event,
        "expires": contact.expires,
    }
    inside = write_leaf("uri", contact.uri), write_leaf("display-name", contact.display_name)
    return write_element("contact", attributes, *inside)


REG = EventPackage(
    "reg",
    "application/reginfo+xml",
    read_registrations,
    write_registrations,
    merge=merge_registrations,
    numbered=numbered,
)
