"""conference: who is in a conference (RFC 4575). It is read; a focus that writes it is another program."""

from __future__ import annotations

import attrs

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.usage.packages.package import EventPackage
from sipstack.usage.packages.versions import following
from sipstack.usage.packages.xml import Element, number_or_none, parse_xml

MOST = 2_000
"""Users that are kept of one conference."""


@attrs.frozen
class ConferenceUser:
    """A participant. ``status`` of the endpoint that is connected, else of the first: "connected",
    "on-hold", "disconnected", "pending" and others; may be empty.
    """

    entity: str
    display_name: str = ""
    roles: tuple[str, ...] = ()
    status: str = ""
    state: str = "full"
    """"deleted" where a partial document says that the user has left."""


@attrs.frozen
class ConferenceInfo:
    """A conference. ``count``: participants, where it is told. ``whole``: all of its users, or only those
    that have changed; ``version`` counts up.
    """

    entity: str
    users: tuple[ConferenceUser, ...] = ()
    subject: str = ""
    count: int | None = None
    active: bool | None = None
    locked: bool | None = None
    version: int = 0
    whole: bool = True


def read_conference(body: bytes) -> ConferenceInfo:
    """Raises ParseError."""
    root = parse_xml(body, "conference-info")
    users = tuple(_user(each) for each in root.all("users", "user"))
    if len(users) > MOST:
        raise ParseError(f"conference-info with {len(users)} users is too long")
    description, state = "conference-description", "conference-state"
    return ConferenceInfo(
        root.get("entity"),
        users,
        root.text_of(description, "subject") or root.text_of(description, "display-text"),
        number_or_none(root.text_of(state, "user-count")),
        _truth(root.text_of(state, "active")),
        _truth(root.text_of(state, "locked")),
        number_or_none(root.get("version")) or 0,
        root.get("state", "full") == "full",
    )


def _user(element: Element) -> ConferenceUser:
    statuses = [each.text for each in element.all("endpoint", "status")]
    return ConferenceUser(
        element.get("entity"),
        element.text_of("display-text"),
        tuple(each.text for each in element.all("roles", "entry")),
        "connected" if "connected" in statuses else next(iter(statuses), ""),
        element.get("state", "full"),
    )


def _truth(text: str) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.lower())


def merge_conference(known: ConferenceInfo | None, came: ConferenceInfo) -> ConferenceInfo | None:
    """The conference after a notification (§4.6); None where one has been missed."""
    return following(known, came, _changed)


def _changed(known: ConferenceInfo, came: ConferenceInfo) -> ConferenceInfo:
    users = {each.entity: each for each in (*known.users, *came.users)}
    kept = [each for each in users.values() if each.state != "deleted"]
    return attrs.evolve(
        known,
        users=tuple(kept[-MOST:]),
        subject=came.subject or known.subject,
        count=known.count if came.count is None else came.count,
        active=known.active if came.active is None else came.active,
        locked=known.locked if came.locked is None else came.locked,
        version=came.version,
    )


def _refuse_to_write(_: object) -> bytes:
    raise LocalProtocolError("conference states are read, not written")


CONFERENCE = EventPackage(
    "conference",
    "application/conference-info+xml",
    read_conference,
    _refuse_to_write,
    merge=merge_conference,
)
