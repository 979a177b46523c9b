"""dialog: the calls of somebody, the lamps of a busy lamp field (RFC 4235)."""

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
    write_text,
)

NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"
STATES = ("trying", "proceeding", "early", "confirmed", "terminated")
MOST = 1_000
"""Dialogs that are kept of one entity."""


@attrs.frozen
class DialogParty:
    """One end of a dialog. ``identity``: its address; ``target``: where its requests go."""

    identity: str = ""
    display_name: str = ""
    target: str = ""


@attrs.frozen
class DialogState:
    """One call of the entity. ``state``: "trying", "proceeding", "early", "confirmed" or "terminated".
    ``direction``: "initiator" (the entity calls), "recipient", or empty. The tags are those of the entity
    (``local_tag``) and of its peer. ``cause`` and ``status``: why it ended, such as "rejected" and 486.
    ``duration``: seconds.
    """

    id: str
    state: str
    direction: str = ""
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    local: DialogParty = DialogParty()
    remote: DialogParty = DialogParty()
    cause: str = ""
    status: int | None = None
    duration: int | None = None


@attrs.frozen
class DialogInfo:
    """The calls of ``entity``, a URI. ``whole``: all of them, or only those that have changed. ``version``
    counts up from notification to notification.
    """

    entity: str
    dialogs: tuple[DialogState, ...] = ()
    version: int = 0
    whole: bool = True

    @property
    def busy(self) -> bool:
        """Whether the lamp is on: one of the calls is not over, or rings."""
        return any(each.state != "terminated" for each in self.dialogs)

    @property
    def ringing(self) -> bool:
        """Whether one of the calls rings."""
        return any(each.state == "early" for each in self.dialogs)


def read_dialogs(body: bytes) -> DialogInfo:
    """Raises ParseError."""
    root = parse_xml(body, "dialog-info")
    version = whole_number(root.get("version"), "version of dialog-info")
    dialogs = tuple(_dialog(each) for each in root.all("dialog"))
    if len(dialogs) > MOST:
        raise ParseError(f"dialog-info with {len(dialogs)} dialogs is too long")
    return DialogInfo(root.get("entity"), dialogs, version, root.get("state") != "partial")


def _dialog(element: Element) -> DialogState:
    state = element.first("state")
    if state is None or state.text.lower() not in STATES:
        raise ParseError("dialog-info has a dialog without a state")
    return DialogState(
        element.get("id"),
        state.text.lower(),
        element.get("direction").lower(),
        element.get("call-id"),
        element.get("local-tag"),
        element.get("remote-tag"),
        _party(element.first("local")),
        _party(element.first("remote")),
        state.get("event"),
        number_or_none(state.get("code")),
        number_or_none(element.text_of("duration")),
    )


def _party(element: Element | None) -> DialogParty:
    if element is None:
        return DialogParty()
    identity, target = element.first("identity"), element.first("target")
    return DialogParty(
        "" if identity is None else identity.text,
        "" if identity is None else identity.get("display") or identity.get("display-name"),
        "" if target is None else target.get("uri"),
    )


def merge_dialogs(known: DialogInfo | None, came: DialogInfo) -> DialogInfo | None:
    """The calls after a notification (§4.3); None where one has been missed. A call that is over is told of
    once.
    """
    return following(known, came, _changed)


def _changed(known: DialogInfo, came: DialogInfo) -> DialogInfo:
    calls = {each.id: each for each in known.dialogs if each.state != "terminated"}
    calls |= {each.id: each for each in came.dialogs}
    return DialogInfo(known.entity, tuple(calls.values())[-MOST:], came.version)


def write_dialogs(info: DialogInfo) -> bytes:
    """The inverse of ``read_dialogs``."""
    state = "full" if info.whole else "partial"
    attributes = {"xmlns": NAMESPACE, "version": info.version, "state": state, "entity": info.entity}
    return write_document(write_element("dialog-info", attributes, *map(_write_dialog, info.dialogs)))


def _write_dialog(dialog: DialogState) -> str:
    attributes = {
        "id": dialog.id,
        "call-id": dialog.call_id,
        "local-tag": dialog.local_tag,
        "remote-tag": dialog.remote_tag,
        "direction": dialog.direction,
    }
    return write_element(
        "dialog",
        attributes,
        write_element("state", {"event": dialog.cause, "code": dialog.status}, dialog.state),
        write_leaf("duration", dialog.duration),
        _write_party("local", dialog.local),
        _write_party("remote", dialog.remote),
    )


def _write_party(name: str, party: DialogParty) -> str:
    inside = ""
    if party.identity:
        identity = write_text(party.identity)
        inside = write_element("identity", {"display": party.display_name}, identity)
    if party.target:
        inside += write_element("target", {"uri": party.target})
    return write_element(name, None, inside) if inside else ""


DIALOG = EventPackage(
    "dialog",
    "application/dialog-info+xml",
    read_dialogs,
    write_dialogs,
    forks=True,
    merge=merge_dialogs,
    numbered=numbered,
)
