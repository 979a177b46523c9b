"""The protocols between the core and what dialogs are used for."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Protocol

from sipstack.dialog.bound import Bound
from sipstack.dialog.draft import Draft
from sipstack.dialog.identity import Identity
from sipstack.dialog.keeper import Keeper
from sipstack.errors import SipError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.message import Headers, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.transaction.deadlines import Timed
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.machine import ClientUser
from sipstack.transaction.timers import Timers

if TYPE_CHECKING:
    from sipstack.dialog.usages import DialogUsages

Refusal = tuple[int, HeaderFields]
"""The status and the header fields with which a request is refused."""


class Usage(Protocol):
    """One use of a dialog (RFC 5057): receives the requests that belong to it."""

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A request other than ACK and CANCEL; its CSeq is in order. It must be answered."""

    def ack_received(self, request: Request, now: float) -> None:
        """An ACK for a 2xx."""

    def lost(self, error: SipError, now: float) -> None:
        """The peer does not know the dialog any more, or does not answer (RFC 3261 §12.2.1.2): it is over."""


class DialogSet(Protocol):
    """The dialogs of all forks that a request of ours may have, before their peers have tags."""

    def dialog_of(self, request: Request) -> DialogUsages | None:
        """The dialog that ``request``, which came before any response of its sender, begins; None for a
        request that begins none (RFC 6665 §4.4.1).
        """


class SentRequest(Protocol):
    """A request of ours on its way or answered."""

    request: Request | None
    """As it last went out (with the credentials that a challenge asked for); None while it is being routed.
    """
    flow: Flow | None
    """That it took last; None while it is being routed."""
    answered: bool
    """Whether a provisional response has come."""

    def proceed(self, draft: Draft, now: float) -> None:
        """Send ``draft`` over the flow of which ``routed`` told."""

    def give_up(self, now: float) -> None:
        """Nobody waits for the outcome: no further target or credentials are tried.

        While it is being routed it is forgotten: it is never sent, and its user hears no more. An INVITE that
        is under way fails when 64*T1 pass without a final response (RFC 3261 §9.1).
        """

    def cancel(self, now: float, headers: Headers) -> None:
        """Give an INVITE up, and send CANCEL, with ``headers``, as soon as a provisional response allows it
        (RFC 3261 §9.1).
        """


class RequestUser(ClientUser, Protocol):
    """The user of a request that is routed first and written then."""

    def routed(self, flow: Flow, now: float) -> None:
        """The request will take this flow; it waits for ``proceed``."""


class AckUser(Protocol):
    """Told when an ACK has gone out, to repeat it as often as the 2xx comes again."""

    def ack_sent(self, cseq: int, flow: Flow, data: bytes) -> None: ...

    def ack_failed(self, error: SipError, now: float) -> None:
        """The peer's Contact or route leads nowhere. The ACK went where the INVITE went, if it could; the
        call has to end.
        """


class FlowOwner(Protocol):
    """Told when a flow that it holds is gone."""

    def flow_failed(self, flow: Flow, error: TransportError, now: float) -> None: ...


class CoreServices(Protocol):
    """The core, as usages see it."""

    identifiers: Identifiers
    timers: Timers

    @property
    def watches_peers(self) -> bool:
        """Whether a request inside of a dialog is taken from some hosts alone."""

    @property
    def keeper(self) -> Keeper | None:
        """Who keeps sessions beyond this process; None: nobody."""

    def account_of(self, identity: Identity) -> str:
        """The URI of the account whose ``identity`` this is; empty for the first one."""

    def send(
        self, draft: Draft, user: ClientUser, now: float, usages: DialogUsages | None = None
    ) -> SentRequest:
        """Route ``draft`` and start a client transaction; 401 and 407 are answered on the way."""

    def route(self, draft: Draft, user: RequestUser, now: float) -> SentRequest:
        """Route ``draft`` and tell the flow; ``proceed`` sends it."""

    def send_ack(self, draft: Draft, user: AckUser, now: float, usages: DialogUsages) -> None:
        """Route an ACK for a 2xx: no transaction, no answer."""

    def respond(self, transaction: AnyServer, response: Response, now: float) -> None: ...

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        """Answer a request inside a dialog that belongs to none of its usages: OPTIONS, or a SUBSCRIBE that
        begins a usage there (see ``dialog_of``). Where nothing is registered for that it gets 481.
        """

    def dialog_of(self, request: Request) -> DialogUsages | None:
        """The dialog that a request of the peer came in; None for one outside of all dialogs."""

    def count_unmatched(self) -> None:
        """A request inside a dialog belongs to nobody."""

    def owner_key(self, request: Request) -> Hashable | None:
        """The key under which the usage that owns ``request`` is hosted; INVITE_USAGE for the methods of a
        call; None for a method that no usage owns.
        """

    def refusal(self, request: Request) -> Refusal | None:
        """The refusal of a request inside a dialog before any usage sees it (RFC 3261 §8.2)."""

    def fault(self, error: Exception) -> SipError:
        """Report an exception that should not have been; what to tell the user of it."""

    def transmit(self, flow: Flow, data: bytes) -> None:
        """Put octets on a flow, outside of any transaction: an ACK, or a 2xx again."""

    def dialog_fields(
        self, flow: Flow, usages: DialogUsages, *, session_description: bool, now: float | None = None
    ) -> Headers:
        """The header fields of our responses that make or refresh a dialog: Contact and what is announced.

        ``now``: its call, if there is one, is stable once this is said; where sessions are sealed, the
        Contact tells the state.
        """

    def announced(self) -> HeaderFields:
        """Allow, Supported and Allow-Events, as registered: nothing is announced without its handler."""

    def emit(self, event: Any) -> None:
        """Tell the user agent. Each usage has events of its own."""

    def schedule(self, item: Timed) -> None: ...

    def host_of(self, request: Request, flow: Flow, now: float) -> DialogUsages | Refusal:
        """The dialog of a usage that ``request`` begins: that which it came in, or a new one; or how it is
        refused, as one dialog has only so many usages.
        """

    def begin_dialog(self, request: Request, flow: Flow, now: float) -> DialogUsages | Refusal:
        """The dialog that ``request``, of any method, begins with us as its server (RFC 3261 §12.1.1); or how
        it is refused: no source holds more dialogs than its share.
        """

    def open_dialog(self, usages: DialogUsages) -> None: ...

    def close_dialog(self, usages: DialogUsages) -> None: ...

    def open_dialog_set(self, call_id: str, local_tag: str, dialogs: DialogSet) -> None:
        """From now on ``dialogs`` is asked for the dialog of a request with these two and a tag unknown."""

    def close_dialog_set(self, call_id: str, local_tag: str) -> None: ...

    def hold_flow(self, flow: Flow, owner: FlowOwner, interval: float | None, now: float) -> None:
        """``owner`` needs the flow: it is kept alive at least every ``interval`` seconds, and told when it is
        gone.
        """

    def release_flow(self, flow: Flow, owner: FlowOwner) -> None:
        """``owner`` does not need it any more. Does nothing when it does not hold it."""

    def bind(self, identity: Identity, owner: object, bound: Bound) -> None:
        """From now on requests of ``identity`` outside of dialogs are as ``owner``, a binding, wants them."""

    def demote(self, identity: Identity, owner: object) -> None:
        """The binding does not work at the moment: another one of the identity is preferred."""

    def unbind(self, identity: Identity, owner: object) -> None: ...
