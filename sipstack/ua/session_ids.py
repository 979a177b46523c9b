"""Which session a call belongs to, and the sessions of two calls that are joined (RFC 7989)."""

from __future__ import annotations

from sipstack.message import SessionId
from sipstack.message.session_id import NULL, paired
from sipstack.usage.invite.session import Session


def session_id_of(text: str) -> SessionId | None:
    """Of the field that we write; None where we write none."""
    return SessionId.parse(text) if text else None


def join(one: Session, other: Session) -> None:
    """From its next message on, each side is told the UUID of the other: a back-to-back user agent is none
    of the two ends (§7). A side that says none keeps the one that we gave it.
    """
    first, second = one.dialog.session_id, other.dialog.session_id
    if first and second:
        one.dialog.session_id, other.dialog.session_id = _towards(first, second), _towards(second, first)


def _towards(near: str, far: str) -> str:
    beyond = far[-32:]
    return near if beyond == NULL else paired(beyond, near[-32:])
