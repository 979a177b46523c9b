"""An INVITE that is to take the place of a call (RFC 3891) which another process has left in the store."""

from __future__ import annotations

from typing import Protocol

from sipstack.core.outputs import DialogKey
from sipstack.errors import ParseError
from sipstack.identifiers import Identifiers
from sipstack.message import Request, Response
from sipstack.message.parameterised import DialogReference
from sipstack.transaction.invite_server import InviteServerTransaction


class Answering(Protocol):
    """The parts of the core that refuse a request."""

    identifiers: Identifiers

    def respond(self, transaction: InviteServerTransaction, response: Response, now: float) -> None: ...


def replaced_dialog(request: Request) -> DialogKey | None:
    """The dialog that its Replaces means; None where that cannot be read, which is found out later."""
    try:
        reference: DialogReference = request.headers.typed("Replaces")
    except ParseError:
        return None
    return reference.call_id, reference.to_tag, reference.from_tag


class Replacing:
    """The user of its transaction while it waits: its caller may give up."""

    __slots__ = ("_core", "_request", "_transaction")

    def __init__(self, core: Answering, request: Request, transaction: InviteServerTransaction) -> None:
        self._core = core
        self._request = request
        self._transaction = transaction
        transaction.user = self

    def cancelled(self, reason: str, now: float) -> None:
        """§9.2: nothing happens to the call that it meant."""
        tag = self._transaction.tag or self._core.identifiers.tag()
        self._core.respond(self._transaction, self._request.response(487, to_tag=tag), now)
