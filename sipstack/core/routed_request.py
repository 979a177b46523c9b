"""A draft that looks for its flow and is written for it: the base of every request of ours; and the ACK for a
2xx, which has no transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import attrs

from sipstack.core.configuration import Configuration
from sipstack.core.outputs import Output
from sipstack.core.router import Route, Router
from sipstack.core.sealing import Sealing
from sipstack.core.stream_attempt import StreamAttempt
from sipstack.dialog.draft import Draft
from sipstack.dialog.services import AckUser
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import SipError
from sipstack.identifiers import Identifiers
from sipstack.message import Request
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import TransactionLayer


class RequestContext(Protocol):
    """The parts of the core that a request on its way needs."""

    configuration: Configuration
    credentials_user: Any
    """The receiver of ``CredentialsNeeded``."""
    emit: Callable[[Any], None]
    identifiers: Identifiers
    outputs: deque[Output]
    router: Router
    sealing: Sealing | None
    transactions: TransactionLayer

    def transmit(self, flow: Flow, data: bytes) -> None: ...

    def fault(self, error: Exception) -> SipError:
        """Report an exception that should not have been; what to tell the user of it."""


class RoutedRequest:
    """A draft that is looking for its flow. Base of what travels."""

    __slots__ = ("_core", "_datagram", "_route", "_usages", "draft", "flow")

    def __init__(self, core: RequestContext, draft: Draft, usages: DialogUsages | None) -> None:
        self._core = core
        self.draft = draft
        self._usages = usages
        self._route: Route | None = None
        self._datagram: Flow | None = None
        """The flow that was left for a stream, or kept in spite of the request's size."""
        self.flow: Flow | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.draft.method} {self.draft.uri}>"

    def start(self, now: float) -> None:
        """Take the dialog's known flow while it is open, else find one."""
        usages, router = self._usages, self._core.router
        hop = self.draft.next_hop
        if usages is not None:
            flow = usages.flow
            if flow is not None and (router.is_open(flow) if usages.hop == hop else router.leads(flow, hop)):
                usages.hop = hop
                self.flow = flow
                self.use(flow, now)
                return
        known = None if self._is_secure else router.known(hop)
        if known is not None:
            self.flow_found(known, now)
        else:
            self.find_route(now)

    @property
    def _is_secure(self) -> bool:
        """Whether each hop must be secure (RFC 3261 §26.2.2): the URI is sips:, or the dialog is secure."""
        usages = self._usages
        return self.draft.uri.startswith("sips:") or (usages is not None and usages.dialog.secure)

    def find_route(self, now: float) -> None:
        hop = self.draft.next_hop
        if self._is_secure:
            hop = secured(hop)
        self._route = route = Route(self._core.router, hop, self)
        route.start(now)

    def flow_found(self, flow: Flow, now: float) -> None:
        """The route leads over ``flow``; requests of the same dialog take it without a look-up."""
        usages = self._usages
        if flow.dialled:
            flow = self._reached_elsewhere(flow)
        if usages is not None:
            usages.hop, usages.flow = self.draft.next_hop, flow
        self.flow = flow
        self.use(flow, now)

    def _reached_elsewhere(self, flow: Flow) -> Flow:
        """``flow`` with the Contact of the datagram that it stands for. For its size a request takes a
        connection that we have opened; that is no reason to be reached over that alone, as long as it is
        there and by who takes it up again: we listen for datagrams. A dialog stays with what it has told.
        """
        usages, datagram = self._usages, self._datagram
        if usages is not None and usages.flow == flow:
            return usages.flow
        if datagram is None or datagram.remote != flow.remote or self.draft.method == "REGISTER":
            return flow
        return attrs.evolve(flow, reached=datagram.contact_address)

    def stay(self, flow: Flow, now: float) -> None:
        """The target takes no stream: the request goes out as a datagram, however large."""
        self.flow_found(flow, now)

    def _takes_stream(self, request: Request, flow: Flow, now: float) -> bool:
        """Whether ``request`` is too large for a datagram and goes another way (RFC 3261 §18.1.1). A URI that
        asks for UDP gets it.
        """
        most = self._core.configuration.largest_datagram
        if most is None or len(bytes(request)) <= most or self._datagram is not None:
            return False
        if "transport=udp" in self.draft.next_hop.lower():
            return False
        self._datagram = flow
        return StreamAttempt.begin(self._core.router, flow, self, now)

    def use(self, flow: Flow, now: float) -> None:
        raise NotImplementedError

    def unroutable(self, error: SipError, now: float) -> None:
        raise NotImplementedError

    def _way_left(self) -> Flow | None:
        """The way for a request of a dialog whose next hop leads nowhere: that of the INVITE, there or back.

        What the peer says of itself may be wrong (a Contact with ``;transport=tcp`` over UDP, a name that
        only its own network knows), and yet it is there. A dialog that is secure stays so.
        """
        usages = self._usages
        flow = None if usages is None else usages.flow
        if usages is None or flow is None or usages.dialog.secure > flow.secure:
            return None
        return flow if self._core.router.is_open(flow) else None

    def write(self, flow: Flow, branch: str, now: float) -> Request:
        """The request as it goes over ``flow``."""
        draft = self.draft
        secure = flow.secure and (self._is_secure or draft.next_hop.startswith("<sips:"))
        contact = draft.identity.contact(flow, secure=secure)
        sealing = self._core.sealing
        if sealing is not None and draft.contact is not None:
            contact = sealing.contact_of_request(draft, self._usages, contact, now)
        return draft.write(flow.via(branch), contact)


class AckRequest(RoutedRequest):
    """An ACK for a 2xx: a transaction of its own with no answer (RFC 3261 §13.2.2.4)."""

    __slots__ = ("_user",)

    def __init__(
        self, core: RequestContext, draft: Draft, usages: DialogUsages | None, user: AckUser
    ) -> None:
        super().__init__(core, draft, usages)
        self._user = user

    def use(self, flow: Flow, now: float) -> None:
        core = self._core
        self._route = None  # it refers to us in turn
        try:
            request = self.write(flow, core.identifiers.branch(), now)
            data = bytes(request)
        except Exception as error:
            self._user.ack_failed(told(core, error), now)
            return
        if flow.transport == "UDP" and self._takes_stream(request, flow, now):
            return
        core.transmit(flow, data)
        self._user.ack_sent(self.draft.cseq, flow, data)

    def unroutable(self, error: SipError, now: float) -> None:
        """§13.2.2.4 wants an ACK for every 2xx: it goes the way that is left, and the call ends."""
        self._route = None
        way = self._way_left()
        if way is not None:
            self.use(way, now)
        self._user.ack_failed(error, now)


def told(core: RequestContext, error: Exception) -> SipError:
    """What the user hears of a request that cannot be written: the caller's mistake, or a fault of ours."""
    return error if isinstance(error, SipError) else core.fault(error)


def secured(next_hop: str) -> str:
    """``next_hop`` as a sips: URI, whatever it was."""
    return next_hop.replace("sip:", "sips:", 1) if next_hop.startswith(("sip:", "<sip:")) else next_hop
