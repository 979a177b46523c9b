"""An event state that we publish, and keep published (RFC 3903 §4)."""

from __future__ import annotations

from typing import Any

import attrs

from sipstack.dialog.draft import Draft
from sipstack.dialog.retries import retry_after
from sipstack.dialog.services import CoreServices, SentRequest
from sipstack.errors import ParseError, RemoteProtocolError, SipError
from sipstack.message import Headers, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.transaction.timers import NEVER
from sipstack.usage.records import PublicationRecord, last_cseq, local_tag, recalled
from sipstack.usage.refresh import LONGEST, longer_interval, refresh_after


@attrs.frozen
class OfPublication:
    """Of a publication of ours."""

    publication: PublicationUsage

    @property
    def receiver(self) -> Any:
        return self.publication.user


@attrs.frozen
class Published(OfPublication):
    """The server keeps our state for ``expires`` seconds more. ``changed``: it has just taken another state,
    and not only a refresh.
    """

    expires: float
    changed: bool


@attrs.frozen
class Unpublished(OfPublication):
    """It is removed, as we asked."""


@attrs.frozen
class PublicationFailed(OfPublication):
    """The server refused (``response``) or did not answer (``error``). ``retry_after``: the seconds that it
    wants to be left alone.
    """

    response: Response | None
    error: SipError | None
    retry_after: float | None = None


@attrs.frozen
class _Wish:
    """A PUBLISH: with ``body`` a new state, without one a refresh, or the end."""

    body: bytes | None
    removes: bool = False


class PublicationUsage:
    """Publishes states one after the other, and refreshes the last until ``remove``. One PUBLISH is under way
    at a time (§4): the latest state waits for its end.
    """

    __slots__ = (
        "_body",
        "_content_type",
        "_core",
        "_cseq",
        "_draft",
        "_etag",
        "_expires",
        "_next",
        "_package",
        "_refresh_at",
        "_sent",
        "_taken",
        "_until",
        "_wish",
        "scheduled",
        "user",
    )

    def __init__(
        self, core: CoreServices, draft: Draft, package: str, content_type: str, expires: int
    ) -> None:
        self.user: Any = None
        self.scheduled = NEVER
        self._core = core
        self._draft = draft
        self._package = package
        self._content_type = content_type
        self._expires = expires
        self._body: bytes | None = None
        self._taken: bytes | None = None  # the last body that the server has taken
        self._etag: str | None = None
        self._refresh_at = NEVER
        self._until = NEVER  # the server keeps the state until then
        self._cseq = 0
        self._wish: _Wish | None = None  # of the PUBLISH under way
        self._next: _Wish | None = None
        self._sent: SentRequest | None = None

    @classmethod
    def from_record(
        cls,
        record: PublicationRecord,
        core: CoreServices,
        draft: Draft,
        package: str,
        content_type: str,
        expires: int,
    ) -> PublicationUsage:
        """Go on with a publication from before a restart: ``publish`` changes the state that the server has,
        ``remove`` takes it back.
        """
        draft = recalled(draft, record.call_id, record.local_tag)
        usage = cls(core, draft, package, content_type, expires)
        usage._cseq, usage._etag = record.cseq, record.etag
        return usage

    def record(self, now: float) -> PublicationRecord | None:
        """What must survive a restart; None while the server has nothing of us."""
        if self._etag is None or self._until <= now:
            return None
        draft = self._draft
        left = self._until - now
        return PublicationRecord(draft.call_id, local_tag(draft.from_), self._last_cseq, left, self._etag)

    @property
    def _last_cseq(self) -> int:
        return last_cseq(self._cseq, self.request)

    def __repr__(self) -> str:
        return f"<PublicationUsage {self._package} {self._draft.uri}>"

    @property
    def deadline(self) -> float:
        return self._refresh_at

    @property
    def request(self) -> Request | None:
        """The latest PUBLISH as it went out."""
        return self._sent.request if self._sent is not None else None

    @property
    def call_id(self) -> str:
        return self._draft.call_id

    # -- commands ------------------------------------------------------------------------------------------

    def publish(self, body: bytes, now: float) -> None:
        """Publish a state, the first or another one."""
        self._body = body
        self._ask(_Wish(body), now)

    def again(self, now: float) -> None:
        """Publish the last state once more, after a failure."""
        if self._body is not None:
            known = self._etag is not None and self._taken == self._body
            self._ask(_Wish(None if known else self._body), now)

    def remove(self, now: float) -> None:
        """Take the state back (§4.5)."""
        self._ask(_Wish(None, removes=True), now)

    def leave(self) -> None:
        """Refresh it no more."""
        self._refresh_at, self._next = NEVER, None

    def timeout(self, now: float) -> None:
        self._refresh_at = NEVER
        self.again(now)

    def faulted(self, error: SipError, now: float) -> None:
        self._core.emit(PublicationFailed(self, None, error))

    def _ask(self, wish: _Wish, now: float) -> None:
        if self._wish is not None:
            self._next = wish
        else:
            self._send(wish, now)

    def _send(self, wish: _Wish, now: float) -> None:
        self._refresh_at = NEVER
        if wish.removes and self._etag is None:
            self._core.emit(Unpublished(self))
            return
        self._wish = wish
        self._cseq = self._last_cseq + 1
        headers = self._draft.headers.joined(Headers(self._fields(wish)))
        draft = attrs.evolve(self._draft, cseq=self._cseq, headers=headers, body=wish.body or b"")
        self._sent = self._core.send(draft, self, now)

    def _fields(self, wish: _Wish) -> HeaderFields:
        """Table 1 of §4.1: what there is depends on whether it is the first, a refresh, a change or the
        end.
        """
        expires = 0 if wish.removes else self._expires
        fields = [("Event", self._package), ("Expires", str(expires))]
        if self._etag is not None:
            fields.append(("SIP-If-Match", self._etag))
        if wish.body and self._content_type:
            fields.append(("Content-Type", self._content_type))
        return tuple(fields)

    # -- answers -------------------------------------------------------------------------------------------

    def response_received(self, response: Response, now: float) -> None:
        if response.status < 200:
            return
        wish, self._wish = self._wish, None
        assert wish is not None
        if response.status < 300:
            self._succeeded(wish, response, now)
        else:
            self._refused(wish, response, now)

    def _succeeded(self, wish: _Wish, response: Response, now: float) -> None:
        if wish.removes:
            self._etag = self._next = None
            self._core.emit(Unpublished(self))
            return
        try:
            self._etag = response.headers.typed("SIP-ETag")
        except ParseError:
            self._etag = None
        if wish.body is not None:
            self._taken = wish.body
        if self._went_on(now):
            return
        if self._etag is None:  # nothing to refresh it with (§4.1)
            self._core.emit(PublicationFailed(self, None, RemoteProtocolError("a 2xx without SIP-ETag")))
            return
        granted = response.headers.readable("Expires")
        seconds = float(min(self._expires if granted is None else granted, LONGEST))
        self._until = now + seconds
        self._refresh_at = now + refresh_after(seconds, self._core.timers.timeout, self._core.identifiers)
        self._core.schedule(self)
        self._core.emit(Published(self, seconds, wish.body is not None))

    def _refused(self, wish: _Wish, response: Response, now: float) -> None:
        minimum = longer_interval(response, self._expires)
        if response.status == 412:  # the server knows our state no more: tell all of it (§4.1)
            known, self._etag = self._etag is not None, None
            if wish.removes:
                self._core.emit(Unpublished(self))
            elif not self._went_on(now) and known and self._body is not None:
                self._send(_Wish(self._body), now)
            elif not known:
                self._failed(response, None)
        elif minimum is not None and not wish.removes:
            self._expires = minimum
            if not self._went_on(now):
                self._send(wish, now)
        elif not self._went_on(now):
            self._failed(response, None)

    def request_failed(self, error: SipError, now: float) -> None:
        self._wish = None
        if not self._went_on(now):
            self._failed(None, error)

    def _failed(self, response: Response | None, error: SipError | None) -> None:
        pause = None if response is None else retry_after(response)
        self._core.emit(PublicationFailed(self, response, error, pause))

    def _went_on(self, now: float) -> bool:
        """A PUBLISH is done. Whether another one was waiting for that, and is sent now."""
        waiting, self._next = self._next, None
        if waiting is not None:
            self._send(waiting, now)
        return waiting is not None
