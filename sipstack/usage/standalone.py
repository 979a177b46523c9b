"""One request outside of any dialog and its final response: OPTIONS, MESSAGE, and what an application
invents; or inside of one, where no usage owns it.
"""

from __future__ import annotations

from typing import Any

import attrs

from sipstack.dialog.draft import Draft
from sipstack.dialog.services import CoreServices, SentRequest
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import SipError
from sipstack.message import Response


@attrs.frozen
class ResponseReceived:
    """The final response."""

    standalone: StandaloneRequest
    response: Response

    @property
    def receiver(self) -> Any:
        return self.standalone.user


@attrs.frozen
class Unanswered:
    """No final response came: a timeout, or the request could not be delivered."""

    standalone: StandaloneRequest
    error: SipError

    @property
    def receiver(self) -> Any:
        return self.standalone.user


class StandaloneRequest:
    """Sends ``draft``, inside of a dialog if that is given, and tells the outcome once."""

    __slots__ = ("_draft", "_core", "_sent", "_usages", "user")

    def __init__(self, core: CoreServices, draft: Draft, usages: DialogUsages | None = None) -> None:
        self._usages = usages
        self.user: Any = None
        self._core = core
        self._draft = draft
        self._sent: SentRequest | None = None

    def __repr__(self) -> str:
        return f"<StandaloneRequest {self._draft.method} {self._draft.uri}>"

    def follow(self, before: StandaloneRequest) -> None:
        """Go out under the Call-ID and the From tag of ``before``, which is answered, with a later CSeq: so
        the peer knows which was first (as for REGISTER, RFC 3261 §10.2).
        """
        draft, sent = before._draft, before._sent
        last = sent.request if sent is not None else None
        number = draft.cseq if last is None else last.cseq.number  # challenges are counted, too
        self._draft = attrs.evolve(self._draft, call_id=draft.call_id, from_=draft.from_, cseq=number + 1)

    def start(self, now: float) -> None:
        self._sent = self._core.send(self._draft, self, now, self._usages)

    def response_received(self, response: Response, now: float) -> None:
        if response.status >= 200:
            self._core.emit(ResponseReceived(self, response))

    def request_failed(self, error: SipError, now: float) -> None:
        self._core.emit(Unanswered(self, error))
