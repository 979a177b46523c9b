"""presence: whether somebody can be reached, and how (RFC 3856), as PIDF (RFC 3863) with the activities of
RPID (RFC 4480).
"""

from __future__ import annotations

import attrs

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.usage.packages.package import EventPackage
from sipstack.usage.packages.xml import (
    Element,
    parse_xml,
    write_document,
    write_element,
    write_leaf,
    write_text,
)

NAMESPACE = "urn:ietf:params:xml:ns:pidf"
DATA_MODEL = "urn:ietf:params:xml:ns:pidf:data-model"
RPID = "urn:ietf:params:xml:ns:pidf:rpid"
MOST = 500
"""Tuples of one document."""


@attrs.frozen
class PresenceTuple:
    """One way to reach somebody. ``open``: whether communication is taken there; None where it is not said.
    ``contact``: a URI, may be empty; ``priority``: 0 to 1.
    """

    id: str
    open: bool | None
    contact: str = ""
    priority: float | None = None
    note: str = ""
    timestamp: str = ""


@attrs.frozen
class Presence:
    """The presence of ``entity``, a URI. ``note``: in words, such as "On the phone". ``activities``: names of
    RPID, such as "on-the-phone", "busy", "away".
    """

    entity: str
    tuples: tuple[PresenceTuple, ...] = ()
    note: str = ""
    activities: tuple[str, ...] = ()

    @property
    def open(self) -> bool | None:
        """Whether one of the tuples is open; None where none says."""
        known = [each.open for each in self.tuples if each.open is not None]
        return any(known) if known else None


def read_presence(body: bytes) -> Presence:
    """Raises ParseError."""
    root = parse_xml(body, "presence")
    tuples = tuple(_tuple(each) for each in root.all("tuple"))
    if len(tuples) > MOST:
        raise ParseError(f"presence with {len(tuples)} tuples is too long")
    activities = (
        *root.all("person", "activities"),
        *root.all("person", "status", "activities"),  # so does Asterisk
        *root.all("tuple", "activities"),
    )
    names = [activity.name for each in activities for activity in each.children if activity.name != "note"]
    note = root.text_of("note") or root.text_of("person", "note") or next((t.note for t in tuples), "")
    return Presence(root.get("entity"), tuples, note, tuple(dict.fromkeys(names)))


def _tuple(element: Element) -> PresenceTuple:
    basic = element.text_of("status", "basic").lower()
    contact = element.first("contact")
    return PresenceTuple(
        element.get("id"),
        {"open": True, "closed": False}.get(basic),
        "" if contact is None else contact.text,
        None if contact is None else _priority(contact.get("priority")),
        element.text_of("note"),
        element.text_of("timestamp"),
    )


def _priority(text: str) -> float | None:
    whole, _, part = text.partition(".")
    digits = (whole + part).isascii() and (whole + part).isdecimal() and len(text) < 10
    return min(float(text), 1.0) if digits else None


def write_presence(presence: Presence) -> bytes:
    """The inverse of ``read_presence``."""
    spaces = {"xmlns": NAMESPACE, "entity": presence.entity}
    if presence.activities:
        spaces |= {"xmlns:dm": DATA_MODEL, "xmlns:rpid": RPID}
    inside = [*map(_write_tuple, presence.tuples), write_leaf("note", presence.note)]
    if presence.activities:
        named = [write_element(f"rpid:{_name(each)}") for each in presence.activities]
        inside.append(
            write_element("dm:person", {"id": "p1"}, write_element("rpid:activities", None, *named))
        )
    return write_document(write_element("presence", spaces, *inside))


def _name(activity: str) -> str:
    if not activity.replace("-", "").isalnum() or not activity.isascii():
        raise LocalProtocolError(f"{activity!r} is no activity")
    return activity


def _write_tuple(each: PresenceTuple) -> str:
    basic = "" if each.open is None else write_leaf("basic", "open" if each.open else "closed")
    contact = write_element("contact", {"priority": each.priority}, write_text(each.contact))
    return write_element(
        "tuple",
        {"id": each.id or "t1"},
        write_element("status", None, basic),
        contact if each.contact else "",
        write_leaf("note", each.note),
        write_leaf("timestamp", each.timestamp),
    )


PRESENCE = EventPackage("presence", "application/pidf+xml", read_presence, write_presence)
