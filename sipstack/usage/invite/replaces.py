"""INVITE with Replaces (RFC 3891): the new call takes the place of one that is there.

It is refused here, or offered to the user agent like any other; once that accepts it, the old call is ended.
Who knows a Call-ID and both tags is taken for somebody who may know them: the user agent decides on the rest.
"""

from __future__ import annotations

from typing import Any, Protocol

from sipstack.dialog.services import Refusal
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import ParseError
from sipstack.message import Request
from sipstack.message.headers import HeaderFields
from sipstack.message.parameterised import DialogReference
from sipstack.usage.invite.extension import CallExtension, Extension, NewCall, Supplant
from sipstack.usage.invite.session import Session

TAG = "replaces"


class Dialogs(Protocol):
    """Where the dialogs are."""

    def find_dialog(self, call_id: str, local_tag: str, remote_tag: str) -> DialogUsages | None: ...


class Replacement(CallExtension):
    """One INVITE of the peer that has a Replaces field."""

    name = TAG

    def __init__(self, dialogs: Dialogs) -> None:
        self._dialogs = dialogs
        self._session: Session | None = None

    def fork(self) -> Replacement:
        return self

    def refusal(self, request: Request) -> Refusal | None:
        """§3. Only the first INVITE can replace anything."""
        if request.to.tag is not None:
            return None
        try:
            reference: DialogReference = request.headers.typed("Replaces")
        except ParseError as error:
            return error.status, ()
        if "Join" in request.headers:
            return 400, ()
        session = replaced_session(self._dialogs, reference)
        if session is None:
            return 481, ()
        if session.origin is not None:
            if not session.is_caller:  # an early dialog is replaced by who has begun it
                return 481, ()
        elif not session.is_established:  # our BYE is on its way
            return 603, ()
        elif reference.early_only:
            return 486, ()
        self._session = session
        return None

    def answering(
        self, request: Request, status: int, now: float, *, described: bool = False, wish: Any = None
    ) -> HeaderFields:
        if 200 <= status < 300 and self._session is not None:
            self.deadline = now  # once the 2xx is out
        return ()

    def timeout(self, now: float) -> Supplant | None:
        session, self._session = self._session, None
        return None if session is None else Supplant(session)


def replaced_session(dialogs: Dialogs, reference: DialogReference) -> Session | None:
    """The session that Replaces means; None where there is none, or a dialog of something else."""
    call_id, ours, theirs = reference.call_id, reference.to_tag, reference.from_tag
    found = dialogs.find_dialog(call_id, ours, theirs)
    if found is None and theirs == "0":  # a peer of RFC 2543, which has no tag (§3)
        found = dialogs.find_dialog(call_id, ours, "")
    return found.invite if found is not None and isinstance(found.invite, Session) else None


def replaces(dialogs: Dialogs) -> Extension:
    """The registration. A call without that field has no part of it."""

    def begin(call: NewCall) -> Replacement | None:
        if call.invite is None or "Replaces" not in call.invite.headers:
            return None
        return Replacement(dialogs)

    return Extension(TAG, begin)
