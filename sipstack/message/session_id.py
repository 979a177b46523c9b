"""Session-ID: one identifier of each end, which stays the same through every intermediary (RFC 7989)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

import attrs

from sipstack.errors import ParseError
from sipstack.message.params import Parameters

if TYPE_CHECKING:
    from sipstack.message.message import Request, Response

NULL = "0" * 32
"""Stands for an end that is not known yet, or does not say (§5)."""

LENGTH = 72
"""Characters of the field, as we write it."""

_TO_NOBODY = f";remote={NULL}"
_is_uuid = re.compile("[0-9a-f]{32}").fullmatch


def _uuid(text: str) -> str:
    uuid = text.lower()  # §5 wants lower case; some write capitals
    if not _is_uuid(uuid):
        raise ParseError(f"not a UUID of 32 hexadecimal digits: {text[:40]!r}")
    return uuid


@attrs.frozen
class SessionId:
    """``local`` is the UUID of the sender, ``remote`` that of the receiver, each 32 hexadecimal digits."""

    local: str = attrs.field(converter=_uuid)
    remote: str = attrs.field(default=NULL, converter=_uuid)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError. A peer of before (RFC 7329) writes no ``remote``."""
        value, semicolon, rest = text.partition(";")
        remote = Parameters.read(semicolon + rest).get("remote") if semicolon else None
        return cls(value.strip(" \t"), remote or NULL)

    @property
    def is_complete(self) -> bool:
        """Whether both ends are known."""
        return NULL not in (self.local, self.remote)

    def __str__(self) -> str:
        return paired(self.local, self.remote)


def paired(local: str, remote: str = NULL) -> str:
    """The value of the field. Its first and last 32 characters are the two UUIDs."""
    return f"{local};remote={remote}"


def answering(local: str, message: Request | Response) -> str:
    """The value of the field in what answers ``message``: ``local`` is the UUID of who answers."""
    if "Session-ID" not in message.headers.index:
        return local + _TO_NOBODY
    return paired(local, sender_of(message))


def sender_of(message: Request | Response) -> str:
    """The UUID of the sender; NULL where it says none that can be read."""
    if "Session-ID" not in message.headers.index:
        return NULL
    heard: SessionId | None = message.headers.readable("Session-ID")
    return NULL if heard is None else heard.local
