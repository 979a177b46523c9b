"""How a request is inspected before any usage sees it (RFC 3261 §8.2), and the methods that every endpoint
answers: INVITE with ACK, BYE and CANCEL, and OPTIONS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sipstack.core.admission import source_of
from sipstack.core.gatekeeper import Gatekeeper
from sipstack.core.registry import Method, Package, Registry, Withdraw
from sipstack.dialog.proof import Proof
from sipstack.dialog.retries import RETRY_AFTER as RETRY_AFTER
from sipstack.dialog.services import CoreServices, Refusal
from sipstack.message import Request
from sipstack.message.headers import HeaderFields
from sipstack.transaction.flow import Flow
from sipstack.transaction.invite_server import InviteServerTransaction
from sipstack.transaction.layer import AnyServer, TransactionLayer
from sipstack.usage.content import SDP, content_refusal
from sipstack.usage.invite.events import InvitationReceived
from sipstack.usage.invite.extension import NewCall
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.received import ReceivedRequest, RequestReceived


class UasCore(CoreServices, Protocol):
    """The parts of the core that answering needs."""

    registry: Registry
    transactions: TransactionLayer

    def count_overloaded(self) -> None: ...


class UserAgentServer:
    """Serves requests outside of a dialog, and those inside that belong to no usage."""

    __slots__ = ("_core", "awaits_replaced", "guard", "leaving")

    def __init__(self, core: UasCore) -> None:
        self._core = core
        self.guard: Gatekeeper | None = None
        """Who asks for the credentials of those who begin something with us."""
        self.awaits_replaced: Callable[[Request, InviteServerTransaction, float], bool] | None = None
        """Where sessions may be in a store: whether an INVITE with Replaces waits until the one that it means
        is loaded. Then ``invite`` goes on with it.
        """
        self.leaving = False
        """Whether we are about to leave: nothing new is taken."""
        registry = core.registry
        registry.add_method(Method("INVITE", self._invite, of_invite=True, bodies=(SDP,)))
        registry.add_method(Method("OPTIONS", self._options, repeatable=True))
        for name in ("ACK", "BYE", "CANCEL"):  # outside of a dialog there is nothing that they could mean
            registry.add_method(Method(name, of_invite=True))

    def receive(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A request outside of a dialog (§8.2)."""
        core = self._core
        if self.leaving:  # OPTIONS too: by these a proxy sees whom to send calls to
            core.count_overloaded()
            self._refuse(request, transaction, (503, RETRY_AFTER), now)
            return
        registry = core.registry
        refused = None
        if self.guard is not None and not registry.is_repeatable(request.method):
            refused = self.guard.refusal(request, transaction.flow, now)
        if refused is None:
            refused = registry.refusal(request)
        if refused is None and request.uri.scheme == "sips" and not transaction.flow.secure:
            refused = 416, ()  # it has lost on its way what it asked for (§26.2.2)
        if refused is None and core.transactions.is_merged(request, transaction):
            refused = 482, ()
        if refused is not None:
            self._refuse(request, transaction, refused, now)
            return
        method = registry.methods[request.method]
        refused = content_refusal(request, method.bodies) if method.bodies else None
        if refused is not None:
            self._refuse(request, transaction, refused, now)
        elif method.serve is None:  # such as the BYE of a call that is gone (§15.1.2)
            self._refuse(request, transaction, (481, ()), now)
        else:
            method.serve(request, transaction, now)

    def unproved(self, proof: Proof, request: Request, flow: Flow, now: float) -> Refusal | None:
        """How a request is refused in a dialog that the user in ``proof`` has begun. Where nobody can check
        what is due, he may come again: this process may have taken the call over before it serves.
        """
        if self.guard is not None:
            return self.guard.refusal_inside(proof, request, flow, now)
        return (503, RETRY_AFTER) if proof.is_due(request.method, source_of(flow), now) else None

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A request inside of a dialog that belongs to none of its usages."""
        method = self._core.registry.methods.get(request.method)
        if method is None or method.serve is None:
            self._core.count_unmatched()
            self._refuse(request, transaction, (481, ()), now)
        else:
            method.serve(request, transaction, now)

    def hand_over(self, name: str, bodies: tuple[str, ...] = (), *, by_event: bool = False) -> Withdraw:
        """Have the application answer requests with method ``name``; an event tells it of each. ``by_event``:
        those of the packages that are handed over as well (``hand_over_package``).
        """
        return self._core.registry.add_method(Method(name, self._received, by_event=by_event, bodies=bodies))

    def hand_over_package(self, name: str) -> Withdraw:
        """Have the application take part in an event package."""
        return self._core.registry.add_package(Package(name, self._received))

    def _received(self, request: Request, transaction: AnyServer, now: float) -> None:
        self._core.emit(RequestReceived(ReceivedRequest(self._core, request, transaction)))

    def _refuse(self, request: Request, transaction: AnyServer, refused: Refusal, now: float) -> None:
        self._respond(request, transaction, refused[0], now, refused[1])

    def _respond(
        self, request: Request, transaction: AnyServer, status: int, now: float, headers: HeaderFields = ()
    ) -> None:
        core = self._core
        core.respond(
            transaction, request.response(status, to_tag=core.identifiers.tag(), headers=headers), now
        )

    # -- the methods ---------------------------------------------------------------------------------------

    def _invite(self, request: Request, transaction: AnyServer, now: float) -> None:
        assert isinstance(transaction, InviteServerTransaction)
        awaits = self.awaits_replaced
        if awaits is not None and "Replaces" in request.headers and awaits(request, transaction, now):
            return
        self.invite(request, transaction, now)

    def invite(self, request: Request, transaction: InviteServerTransaction, now: float) -> None:
        """A new call, that nothing speaks against."""
        core = self._core
        host = core.begin_dialog(request, transaction.flow, now)
        if isinstance(host, tuple):
            self._refuse(request, transaction, host, now)
            return
        if self.guard is not None:
            host.proof = self.guard.proof(request, transaction.flow, now)
        invitation = IncomingInvite(core, host, request, transaction, now)
        refused = self._extended(invitation) if core.registry.extensions else None
        if refused is not None:
            invitation.refuse(refused[0], now, None, refused[1])
        else:
            core.emit(InvitationReceived(invitation, request))

    def _extended(self, invitation: IncomingInvite) -> Refusal | None:
        """How an extension that takes part refuses the call."""
        parts = self._core.registry.begin_call(NewCall(is_caller=False, invite=invitation.request))
        return invitation.extend(parts) if parts else None

    def _options(self, request: Request, transaction: AnyServer, now: float) -> None:
        """§11.2: what an INVITE would be answered with, as far as it depends on the endpoint."""
        registry = self._core.registry
        headers = (*registry.fields, ("Accept", registry.accept), ("Accept-Encoding", "identity"))
        self._respond(request, transaction, 200, now, headers)
