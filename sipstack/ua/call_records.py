"""The record of each call of a user agent: made when the call is over, from what was noted meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from sipstack.core.events import Ended, InvitationCancelled, InvitationReceived, SessionResumed
from sipstack.core.lasting import BEGAN
from sipstack.core.outputs import DialogKey, Flow
from sipstack.errors import (
    CallEnded,
    InternalError,
    ParseError,
    RequestFailed,
    TransactionTimeout,
    TransportError,
)
from sipstack.media.port import MediaPort, SecuredMedia
from sipstack.message import NameAddr
from sipstack.outcome import Outcome
from sipstack.records.record import MOST_NODES, CallRecord
from sipstack.ua.quality import quality_of
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.invite.origin import Origin
from sipstack.usage.invite.outgoing import OutgoingInviteUsage
from sipstack.usage.invite.session import Session

if TYPE_CHECKING:
    from sipstack.net.driver import Driver
    from sipstack.records import CallRecords

CallId = tuple[str, str]
"""Call-ID and our tag: the same from the first INVITE to the end, in each process that has the call."""
KEPT = "record"
"""Under this name the beginning of a call is kept with its session."""
ELSEWHERE = "elsewhere"


@attrs.define
class Beginning:
    """What a record needs of the time before the end. Times are milliseconds since 1970."""

    incoming: bool
    began: int
    nodes: tuple[str, ...]
    local: str = ""
    remote: str = ""
    user: str = ""
    session_id: str = ""
    flow: Flow | None = None
    answered: int | None = None
    answered_at: float | None = None
    """By the clock of the loop."""
    epoch: int = 0
    media: MediaPort | None = None


class CallRecorder:
    """Has one record written of each call, whoever ends it: of those that are told first, the first counts.

    An INVITE that the stack refuses before it asks anybody, such as with 401 or 420, is no call.
    """

    def __init__(self, driver: Driver, records: CallRecords, node: str) -> None:
        self._driver = driver
        self._loop = asyncio.get_running_loop()
        self.records = records
        self._node = node
        self._calls: dict[CallId, Beginning] = {}

    # -- the beginning -------------------------------------------------------------------------------------

    def _invited(self, event: InvitationReceived) -> None:
        usage, request = event.invitation, event.request
        beginning = Beginning(
            True,
            self._now(),
            (self._node,),
            request.to.uri_text,
            request.from_.uri_text,
            session_id=request.session_id,
            flow=usage.transaction.flow,
        )
        self._calls[_of_invitation(usage)] = beginning
        self._keep(usage, beginning)

    def known_as(self, usage: IncomingInvite, user: str | None) -> None:
        """The caller has proved his name."""
        beginning = self._calls.get(_of_invitation(usage))
        if beginning is not None and user is not None:
            beginning.user = user
            self._keep(usage, beginning)

    def placed(self, usage: OutgoingInviteUsage) -> None:
        """An INVITE of ours is on its way."""
        local, remote = usage.ends
        beginning = Beginning(False, self._now(), (self._node,), _uri(local), _uri(remote))
        self._calls[usage.call_id, _tag(local)] = beginning
        self._keep(usage, beginning)

    def established(self, session: Session, media: MediaPort) -> None:
        """A call begins to be one, or goes on here."""
        beginning = self._calls.get(_of_session(session))
        if beginning is None:
            return
        beginning.media = media
        if beginning.answered is None:
            self._answered(session, beginning)

    def accepted(self, session: Session) -> None:
        """The policy has accepted a call."""
        beginning = self._calls.get(_of_session(session))
        if beginning is not None:
            self._answered(session, beginning)

    def _answered(self, session: Session, beginning: Beginning) -> None:
        beginning.answered, beginning.answered_at = self._now(), self._driver.now()
        beginning.flow = session.usages.flow or beginning.flow
        beginning.session_id = session.dialog.session_id or beginning.session_id

    # -- calls that another process began ------------------------------------------------------------------

    def _keep(self, usage: Origin | Session, beginning: Beginning) -> None:
        """With the session, where that is kept: who takes it over writes the record."""
        if self._driver.core.keeper is not None:
            kept = {"began": beginning.began, "user": beginning.user, "nodes": list(beginning.nodes)}
            usage.application = {**(usage.application or {}), KEPT: kept}

    def _resumed(self, session: Session, epoch: int) -> None:
        application: dict[str, Any] = session.application or {}
        kept = application.get(KEPT)
        kept = kept if isinstance(kept, dict) else {}
        dialog, now, at = session.dialog, self._now(), self._driver.now()
        answered_at = application.get(BEGAN, at)
        answered = now - int((at - answered_at) * 1000)
        before = [node for node in kept.get("nodes") or () if isinstance(node, str)]
        beginning = self._calls[_of_session(session)] = Beginning(
            not session.is_caller,
            _number(kept, "began") or answered,
            (*before[-MOST_NODES + 1 :], self._node),
            _uri(dialog.local),
            _uri(dialog.remote),
            kept["user"] if isinstance(kept.get("user"), str) else "",
            dialog.session_id,
            session.usages.flow,
            answered,
            answered_at,
            epoch,
        )
        self._keep(session, beginning)
        if session.is_established:
            self._driver.command(session.settle, _nobody_waits, at)

    # -- the end -------------------------------------------------------------------------------------------

    def refused(self, usage: IncomingInvite, status: int, reason: str | None) -> None:
        """We have refused an INVITE."""
        self._end(_of_invitation(usage), "refused", "local", reason or "", status)

    def cancelled(self, event: InvitationCancelled) -> None:
        """The caller gave up, or an extension did."""
        outcome = "cancelled" if event.status == 487 else "failed"
        self._end(_of_invitation(event.invitation), outcome, event.by, event.reason, event.status)

    def failed(self, usage: OutgoingInviteUsage, error: Exception | None) -> None:
        """An INVITE of ours came to nothing."""
        local, _ = usage.ends
        call = usage.call_id, _tag(local)
        beginning = self._calls.get(call)
        if beginning is not None:
            beginning.flow = usage.flow
            if usage.request is not None:
                beginning.session_id = usage.request.session_id
        status = getattr(error, "status", None)
        match error:
            case CallEnded(by=by, reason=reason):
                self._end(call, "cancelled" if by == "local" else "failed", by, reason)
            case InternalError():
                self._end(call, "failed", "local", _text(error), status)
            case _ if usage.cancelled:
                self._end(call, "cancelled", "local", _text(error), status)
            case TransportError():
                self._end(call, "failed", "transport", _text(error))
            case TransactionTimeout():
                self._end(call, "failed", "timeout", _text(error))
            case RequestFailed(status=status, reason=reason):
                self._end(call, "refused", "remote", reason, status)
            case _:
                self._end(call, "failed", "local", _text(error), status)

    def ended(self, session: Session, by: str, reason: str) -> None:
        """A session is over."""
        call, dialog = _of_session(session), session.dialog
        if by == ELSEWHERE:
            self._calls.pop(call, None)  # the process that has it now writes the record
        elif dialog.early:
            self._end(call, "failed", by, reason)
        else:
            beginning = self._calls.get(call)
            if beginning is not None:
                beginning.session_id = dialog.session_id or beginning.session_id
            self._end(call, "answered", by, reason)

    def before_forgotten(self, key: DialogKey, forget: Callable[[], None]) -> None:
        """A session that was kept is over: ``forget`` it once the record of its call is on the disk. A
        process that is killed before leaves it to another one, which writes the record then.
        """
        # what is over is told by an event, which comes after this
        self._loop.call_soon(self._forget, key, forget)

    def _forget(self, key: DialogKey, forget: Callable[[], None]) -> None:
        self._end(key[:2], "answered", "local", "")  # our BYE, whose answer changes nothing
        self.records.when_written(forget)

    def unattended(self, event: object) -> None:
        """An event that nobody has heard yet: of a new call, or of one that nobody but the policy has."""
        match event:
            case InvitationReceived():
                self._invited(event)
            case Ended(session=session, by=by, reason=reason):
                self.ended(session, by, reason)
            case InvitationCancelled():
                self.cancelled(event)
            case SessionResumed(session=session, epoch=epoch):
                self._resumed(session, epoch)

    def close(self, reason: str) -> None:
        """The user agent is left. Calls that are kept go on elsewhere, and have their record there."""
        for call, beginning in list(self._calls.items()):
            if beginning.answered is None:
                self._end(call, "failed", "local", reason)
            elif self._driver.core.keeper is None:
                self._end(call, "answered", "local", reason)
        self._calls.clear()

    def _end(
        self,
        call: CallId,
        outcome: str,
        by: str,
        reason: str,
        status: int | None = None,
    ) -> None:
        beginning = self._calls.pop(call, None)
        if beginning is None:
            return
        flow, talked = beginning.flow, 0.0
        answered = outcome == "answered"
        if answered and beginning.answered_at is not None:
            talked = self._driver.now() - beginning.answered_at
        self.records.write(
            CallRecord(
                call_id=call[0],
                tag=call[1],
                epoch=beginning.epoch,
                incoming=beginning.incoming,
                local=beginning.local,
                remote=beginning.remote,
                user=beginning.user,
                peer=f"{flow.remote[0]} {flow.remote[1]}" if flow is not None else "",
                session_id=beginning.session_id,
                began=beginning.began,
                answered=beginning.answered if answered else None,
                ended=self._now(),
                duration=round(talked * 1000),
                outcome=outcome,
                status=status,
                by=by,
                reason=reason,
                transport=flow.transport if flow is not None else "",
                secure=flow is not None and flow.secure,
                nodes=beginning.nodes,
                **_heard(beginning.media),
            )
        )

    def _now(self) -> int:
        return int(self.records.clock() * 1000)


def _heard(media: MediaPort | None) -> dict[str, Any]:
    """What the media tells of the call; nothing of the policy's."""
    audio = media.audio if media is not None else None
    return {
        "codec": (audio.codec if audio is not None else None) or "",
        "security": (media.security if isinstance(media, SecuredMedia) else None) or "",
        "quality": quality_of(audio.statistics) if audio is not None else None,
    }


def _nobody_waits(outcome: Outcome, now: float) -> None:
    pass


def _text(error: Exception | None) -> str:
    return "" if error is None else str(error)


def _number(kept: dict[str, Any], name: str) -> int:
    value = kept.get(name)
    return value if type(value) is int and value > 0 else 0


def _uri(text: str) -> str:
    """Of a header value of a dialog, as far as it can be read."""
    try:
        return NameAddr.parse(text).uri_text
    except ParseError:
        return text


def _tag(text: str) -> str:
    return NameAddr.parse(text).tag or ""


def _of_invitation(usage: IncomingInvite) -> CallId:
    return usage.request.call_id, usage.tag


def _of_session(session: Session) -> CallId:
    return session.dialog.call_id, session.dialog.local_tag
