"""Transferring a call: asking its other side to call somebody else (RFC 3515, RFC 5589)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from sipstack.core.core import Core
from sipstack.core.registry import Method, Package, Withdraw
from sipstack.errors import FlowClosed, LocalProtocolError, SipError, TransferFailed
from sipstack.log import CALL
from sipstack.message import NameAddr, Response, SipUri, parse_uri
from sipstack.message.headers import HeaderFields
from sipstack.ua.arguments import IN_REGISTERS, HeadersArgument, header_fields, target_uri
from sipstack.ua.call_base import CallBase
from sipstack.ua.refusal import authentication_failed
from sipstack.ua.result import Result
from sipstack.ua.runtime import Runtime
from sipstack.ua.stream import Stream
from sipstack.usage.refer.events import ReferConcluded, ReferProgressed
from sipstack.usage.refer.outgoing import PACKAGE, OutgoingRefer

IN_REFERS = IN_REGISTERS | {
    "Refer-To": "it is the target of the transfer",
    "Refer-Sub": "give notify=False",
}


class Transfers:
    """Has NOTIFYs taken that tell of REFERs of ours, while there are any."""

    def __init__(self, runtime: Runtime) -> None:
        self._holders = 0
        self._withdrawals: list[Withdraw] = []

    def register(self, core: Core) -> None:
        """Nothing is announced before there is one."""
        self._core = core

    def hold(self) -> None:
        """One begins."""
        self._holders += 1
        if self._holders == 1:
            registry = self._core.registry
            self._withdrawals = [
                registry.add_method(Method("NOTIFY", by_event=True)),
                registry.add_package(Package(PACKAGE, self)),
            ]

    def release(self) -> None:
        """One is over."""
        self._holders -= 1
        if self._holders == 0:
            for withdraw in self._withdrawals:
                withdraw()
            self._withdrawals = []


class Transfer:
    """A transfer under way. Iterate for the provisional responses to the other side's call, as it tells of
    them, such as a 180; ``completed`` waits for the final one.
    """

    def __init__(self, runtime: Runtime, usage: OutgoingRefer, target: str) -> None:
        self.target = target
        """The URI that the other side is to call."""
        self._runtime = runtime
        self._usage = usage
        self._progress: Stream[Response] = Stream()
        self._result: Result[Response] = Result()

    def __repr__(self) -> str:
        return f"<Transfer to {self.target} {'done' if self._result.done else 'under way'}>"

    @property
    def id(self) -> str:
        """The Call-ID of the REFER: that of the call which it is about, or a new one outside of any."""
        return self._usage.call_id

    def __aiter__(self) -> AsyncIterator[Response]:
        return self._progress

    async def completed(self) -> Response:
        """The 2xx that the other side's call was answered with: its status and reason are all that is told.

        That of the REFER, where no NOTIFY is wanted. Raises TransferFailed, AuthenticationFailed,
        TransactionTimeout, TransportError; RemoteProtocolError when the other side ends the subscription and
        does not say what became of it.
        """
        return await self._result

    def _begin(self) -> None:
        runtime, usage = self._runtime, self._usage
        transfers: Transfers = runtime.services[Transfers]
        runtime.attach(self, usage)
        transfers.hold()
        CALL.info("%s: refers to %s", usage.call_id, self.target)
        runtime.command(usage.start, runtime.now(), transfers.release)

    def _leave(self) -> None:
        """Nobody waits for it any more."""
        if not self._result.done:
            self._runtime.detach(self, self._usage)
            if self._runtime.running:
                self._runtime.command(self._usage.abandon, self._runtime.now())

    def _on_event(self, event: ReferProgressed | ReferConcluded) -> None:
        if isinstance(event, ReferProgressed):
            self._progress.put(event.response)
            return
        outcome = event.outcome
        CALL.info("%s: the transfer to %s: %s", self._usage.call_id, self.target, _shown(outcome))
        if isinstance(outcome, SipError):
            self._result.fail(outcome)
        elif outcome.status < 300:
            self._result.set(outcome)
        elif event.of_refer and outcome.status in (401, 407):
            self._result.fail(authentication_failed(outcome, self._usage.request))
        else:
            self._result.fail(TransferFailed(outcome, refused=event.of_refer))
        self._progress.close()
        self._runtime.detach(self, self._usage)

    def _close_nowait(self) -> bool:
        """A REFER cannot be taken back: it is not waited for."""
        return False

    def _abort(self, reason: str) -> None:
        self._result.fail(FlowClosed(reason))
        self._progress.close()


def _shown(outcome: Response | SipError) -> str:
    return str(outcome) if isinstance(outcome, SipError) else f"{outcome.status} {outcome.reason}"


@contextlib.asynccontextmanager
async def transferring(transfer: Transfer) -> AsyncIterator[Transfer]:
    """Own ``transfer``: after the block nobody waits for it."""
    transfer._begin()
    try:
        yield transfer
    finally:
        transfer._leave()


def refer_fields(target: str, referred_by: str, headers: HeadersArgument, *, notify: bool) -> HeaderFields:
    """The fields of a REFER to ``target``, a URI. ``referred_by`` is a name-addr without a tag."""
    fields = header_fields(headers, IN_REFERS)
    by: HeaderFields = (("Referred-By", referred_by),)
    if any(name.lower() in ("referred-by", "b") for name, _ in fields):
        by = ()
    wish: HeaderFields = () if notify else (("Refer-Sub", "false"), ("Supported", "norefersub"))
    return (("Refer-To", f"<{target}>"), *by, *wish, *fields)


def place_of(call: CallBase) -> str:
    """The URI that has whoever calls it take our place in ``call`` (RFC 5589 §7): the other side's Contact
    with Replaces.
    """
    dialog = call._session.dialog
    replaces = f"{dialog.call_id};to-tag={dialog.remote_tag or '0'};from-tag={dialog.local_tag}"
    uri = parse_uri(dialog.remote_target)
    assert isinstance(uri, SipUri)
    return str(uri.replace(headers=(("Replaces", replaces),)).escaped())


class Transferring(CallBase):
    """Transfers the call."""

    async def transfer(
        self, target: str | CallBase, *, notify: bool = True, headers: HeadersArgument = ()
    ) -> Response:
        """Have the other side call ``target``, and wait until that is answered; then leave the call, if the
        other side has not left it by itself.

        ``target``: a URI (blind transfer), or another call of ours, with whose other side this one's is to be
        connected in our place (attended transfer; it ends that call). Hold both calls before, or each hears
        you still.

        Returns the 2xx. Raises TransferFailed when the other side does not do it or is refused by the target,
        and then the call is as before; AuthenticationFailed, TransactionTimeout, TransportError, and
        RemoteProtocolError when it does not say what has become of it; CallEnded when the call is over
        already. Cancelling leaves the other side to what it does.

        ``notify``: without it the other side is asked to say nothing more than that it will try (RFC 4488),
        and its word is returned; where it cannot do that, it is as with it.
        """
        async with self.transferring(target, notify=notify, headers=headers) as transfer:
            return await transfer.completed()

    def transferring(
        self, target: str | CallBase, *, notify: bool = True, headers: HeadersArgument = ()
    ) -> AbstractAsyncContextManager[Transfer]:
        """Transfer step by step: what is told of the other side's call, then its outcome."""
        self._check_alive()
        if isinstance(target, CallBase):
            if target is self:
                raise LocalProtocolError("a call cannot be transferred to itself: give it another call")
            target._check_alive()
            uri = place_of(target)
        else:
            uri = target_uri(target)
        runtime, session = self._runtime, self._session
        fields = refer_fields(uri, _without_tag(session.dialog.local), headers, notify=notify)
        usage = OutgoingRefer.inside(runtime.core, session.usages, fields)
        return transferring(Transfer(runtime, usage, uri))


def _without_tag(value: str) -> str:
    address = NameAddr.parse(value)
    return str(NameAddr(address.uri, address.display_name))
