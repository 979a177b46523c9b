"""A binding of our Contact at a registrar, kept alive (RFC 3261 §10, RFC 5626)."""

from __future__ import annotations

from typing import Any

import attrs

from sipstack.dialog.bound import Bound
from sipstack.dialog.draft import Draft
from sipstack.dialog.identity import Identity
from sipstack.dialog.retries import retry_after
from sipstack.dialog.services import CoreServices, SentRequest
from sipstack.errors import ParseError, SipError, TransportError
from sipstack.message import Headers, NameAddr, Request, Response, SipUri
from sipstack.message.headers import HeaderFields
from sipstack.transaction.flow import Flow
from sipstack.transaction.timers import NEVER
from sipstack.usage.records import RegistrationRecord, last_cseq, local_tag
from sipstack.usage.refresh import longer_interval, refresh_after
from sipstack.usage.registration.events import FlowLost, Registered, RegistrationFailed, Unregistered
from sipstack.usage.registration.grant import Grant
from sipstack.usage.registration.instance import Instance

PAUSE = 60.0
"""Seconds after a REGISTER in which the end of its connection is no reason for another one."""
SHORTEST_FLOW_TIMER = 10.0
"""Seconds: an edge proxy cannot make us send keep-alives more often."""


@attrs.frozen
class _Wish:
    """What a REGISTER is to say: the parameters of our Contact (None: no Contact), and other fields."""

    contact: str | None
    headers: HeaderFields = ()
    leaves: str = ""
    """A Contact of ours from before, which it removes."""


class RegistrationUsage:
    """Registers one Contact for one address-of-record and refreshes it until ``remove``."""

    __slots__ = (
        "_bound",
        "_call_id",
        "_core",
        "_cseq",
        "_draft",
        "_expires",
        "_from",
        "_headers",
        "_held",
        "_identity",
        "_instance",
        "_moving",
        "_next",
        "_proxy",
        "_recalled",
        "_refresh_at",
        "_registered_at",
        "_until",
        "_registrar",
        "_removing",
        "_sent",
        "_waiting",
        "grant",
        "scheduled",
        "user",
    )

    def __init__(
        self,
        core: CoreServices,
        registrar: str,
        identity: Identity,
        expires: int,
        headers: HeaderFields = (),
        *,
        proxy: str | None = None,
        instance: Instance | None = None,
    ) -> None:
        self.user: Any = None
        self.grant: Grant | None = None
        """What the registrar granted last; None while nothing is bound."""
        self._core = core
        self._registrar = registrar
        self._identity = identity
        self._expires = expires
        self._headers = headers
        self._proxy = proxy or identity.proxy
        self._instance = instance
        self._call_id = core.identifiers.call_id()  # the same for all REGISTERs of one boot (§10.2)
        self._from = f"{identity.aor};tag={core.identifiers.tag()}"
        self._cseq = 0
        self._refresh_at = NEVER
        self._registered_at = 0.0
        self._until = NEVER  # the registrar keeps the binding until then
        self._bound = ""  # the Contact URI that is bound
        self._held: Flow | None = None
        self._recalled = False  # it goes on from a record, and nothing has been accepted since
        self._removing = False
        self._moving = False  # the REGISTER under way removes our old Contact as well
        self._draft: Draft | None = None  # waits for its flow
        self._sent: SentRequest | None = None
        self._next: _Wish | None = None
        self._waiting = False
        self.scheduled = NEVER

    @classmethod
    def from_record(
        cls,
        record: RegistrationRecord,
        core: CoreServices,
        registrar: str,
        identity: Identity,
        expires: int,
        headers: HeaderFields = (),
        *,
        proxy: str | None = None,
    ) -> RegistrationUsage:
        """Go on with a binding from before a restart: ``move`` refreshes it, and takes the Contact from
        before back where we are at another address now.
        """
        instance = None if record.urn is None else Instance(record.urn, record.reg_id)
        usage = cls(core, registrar, identity, expires, headers, proxy=proxy, instance=instance)
        usage._call_id, usage._cseq = record.call_id, record.cseq
        usage._from = f"{identity.aor};tag={record.local_tag}"
        usage._bound = record.contact
        usage._recalled = True
        return usage

    def record(self, now: float) -> RegistrationRecord | None:
        """What must survive a restart; None while nothing is bound."""
        if self.grant is None or self._until <= now:
            return None
        instance = self._instance
        return RegistrationRecord(
            self._call_id,
            local_tag(self._from),
            self._last_cseq,
            self._until - now,
            self._bound,
            None if instance is None else instance.urn,
            None if instance is None else instance.reg_id,
        )

    @property
    def _last_cseq(self) -> int:
        return last_cseq(self._cseq, self.request)

    def __repr__(self) -> str:
        return f"<RegistrationUsage {self._identity.aor} at {self._registrar}>"

    @property
    def deadline(self) -> float:
        return self._refresh_at

    @property
    def request(self) -> Request | None:
        """The REGISTER that went out last; None before that."""
        return self._sent.request if self._sent is not None else None

    @property
    def flow(self) -> Flow | None:
        """The way of the latest REGISTER; None before it was found."""
        return self._sent.flow if self._sent is not None else None

    @property
    def _is_outbound(self) -> bool:
        return self._instance is not None and self._instance.reg_id is not None

    # -- commands ------------------------------------------------------------------------------------------

    def refresh(self, now: float) -> None:
        """Register, or register again. The outcome comes as an event."""
        self._send(_Wish(self._contact(self._expires)), now)

    def move(self, now: float) -> None:
        """Our address is another one: register it, and take the old one back in the same REGISTER. With
        outbound the registrar replaces it by itself (RFC 5626 §6).
        """
        leaves = "" if self._is_outbound else self._bound
        self._send(_Wish(self._contact(self._expires), leaves=leaves), now)

    def remove(self, now: float) -> None:
        """Take our binding away: it expires at once (§10.2.2)."""
        self._removing = True
        self._send(_Wish(self._contact(0)), now)

    def remove_all(self, now: float) -> None:
        """Take away every binding of the address-of-record, ours and others' (§10.2.2)."""
        self._removing = True
        self._send(_Wish(None, (("Contact", "*"), ("Expires", "0"))), now)

    def leave(self) -> None:
        """Nobody waits for anything of it any more."""
        self._refresh_at = NEVER
        self._forget()

    def timeout(self, now: float) -> None:
        self.refresh(now)

    def faulted(self, error: SipError, now: float) -> None:
        self.request_failed(error, now)

    # -- REGISTER ------------------------------------------------------------------------------------------

    def _contact(self, expires: int) -> str:
        return f";expires={expires}" + ("" if self._instance is None else self._instance.parameters)

    def _send(self, wish: _Wish, now: float) -> None:
        self._refresh_at = NEVER
        if self._waiting:  # one REGISTER at a time (§10.2): the latest wish is sent after the answer
            self._next = wish
            return
        self._waiting = True
        self._cseq = self._last_cseq + 1
        supported = "path" if self._instance is None else self._instance.supported
        draft = Draft(
            "REGISTER",
            self._registrar,
            self._from,
            self._identity.aor,
            self._call_id,
            self._cseq,
            () if self._proxy is None else (self._proxy,),
            headers=(*wish.headers, ("Supported", supported), *self._headers),
            contact=wish.contact,
            identity=self._identity,
        )
        self._moving = bool(wish.leaves)
        if wish.leaves:
            self._draft, self._sent = draft, None
            self._sent = self._core.route(draft, self, now)
            self._proceed(now)
        else:
            self._sent = self._core.send(draft, self, now)

    def routed(self, flow: Flow, now: float) -> None:
        """The flow of the REGISTER that moves us is found: only now our new Contact is known."""
        self._proceed(now)

    def _proceed(self, now: float) -> None:
        sent, draft = self._sent, self._draft
        flow = None if sent is None else sent.flow
        if sent is None or draft is None or flow is None:
            return
        self._draft = None
        if self._bound != self._identity.contact(flow, secure=self._bound.startswith("sips:")):
            gone = draft.headers.joined(Headers((("Contact", f"<{self._bound}>;expires=0"),)))
            draft = attrs.evolve(draft, headers=gone)
        else:
            self._moving = False
        sent.proceed(draft, now)

    # -- answers -------------------------------------------------------------------------------------------

    def response_received(self, response: Response, now: float) -> None:
        status = response.status
        if status < 200 or self._went_on(now):
            return
        if status < 300:
            self._succeeded(response, now)
        elif not self._removing and self._has_another_way(response):
            self.refresh(now)
        else:
            self._failed(response, None)

    def _has_another_way(self, response: Response) -> bool:
        """Whether the REGISTER may be accepted when it is written in another way."""
        if response.status == 423:
            return self._lengthen(response)
        instance = self._instance
        if response.status == 439 and instance is not None and instance.reg_id is not None:
            self._instance = attrs.evolve(instance, reg_id=None)  # RFC 5626 §4.2.1: without outbound
            return True
        if response.status == 500 and self._recalled:  # the process before went further than its record
            self._begin_anew()
            return True
        # Two Contacts may be more than a registrar takes; what was refused for other reasons is refused again
        return self._moving and response.status not in (401, 407)

    def _begin_anew(self) -> None:
        """A Call-ID that the registrar does not know, where no CSeq is too low (§10.3, step 7)."""
        self._recalled = False
        self._call_id, self._cseq, self._sent = self._core.identifiers.call_id(), 0, None
        self._from = f"{self._identity.aor};tag={self._core.identifiers.tag()}"

    def request_failed(self, error: SipError, now: float) -> None:
        if not self._went_on(now):
            self._failed(None, error)

    def _failed(self, response: Response | None, error: SipError | None) -> None:
        if self._removing:
            self._forget()
        else:
            self._core.demote(self._identity, self)
        pause = None if response is None else retry_after(response)
        self._core.emit(RegistrationFailed(self, response, error, pause))

    def _went_on(self, now: float) -> bool:
        """A REGISTER is done. Whether another one was waiting for that, and is sent now."""
        self._waiting = False
        waiting, self._next = self._next, None
        if waiting is not None:
            self._send(waiting, now)
        return waiting is not None

    def _succeeded(self, response: Response, now: float) -> None:
        if self._removing:
            self._forget()
            self._core.emit(Unregistered(self))
            return
        ours = self._contact_uri()
        grant = Grant.read(response, ours, self._instance, self._expires)
        if grant.expires == 0.0:  # nothing is bound, and asking again at once will not help
            self._failed(response, None)
            return
        core = self._core
        self.grant, self._recalled = grant, False
        self._bound, self._registered_at = str(ours or ""), now
        self._until = now + grant.expires
        self._hold_flow(now)
        routes = route_set(self._proxy, grant.service_route)
        core.bind(self._identity, self, Bound(routes, grant.gruu, self._is_outbound and grant.outbound))
        self._refresh_at = now + refresh_after(grant.expires, core.timers.timeout, core.identifiers)
        core.schedule(self)
        core.emit(Registered(self, grant.expires, response))

    def _contact_uri(self) -> SipUri | None:
        request = self.request
        contacts = request.contacts if request is not None else ()
        uri = contacts[0].uri if contacts else None
        return uri if isinstance(uri, SipUri) else None

    def _lengthen(self, response: Response) -> bool:
        """423 Interval Too Brief tells the shortest time that the registrar takes (§10.2.8)."""
        minimum = longer_interval(response, self._expires)
        if minimum is None:
            return False
        self._expires = minimum
        return True

    # -- the flow ------------------------------------------------------------------------------------------

    def _hold_flow(self, now: float) -> None:
        """The flow of the REGISTER is the one over which calls come: keep it, and hear of its end."""
        flow = None if self._sent is None else self._sent.flow
        if self._held is not None and self._held != flow:
            self._core.release_flow(self._held, self)
        self._held = flow
        if flow is not None:
            timer = None if self.grant is None else self.grant.flow_timer
            interval = None if timer is None else max(float(timer), SHORTEST_FLOW_TIMER)
            self._core.hold_flow(flow, self, interval, now)

    def flow_failed(self, flow: Flow, error: TransportError, now: float) -> None:
        """The flow is gone. A REGISTER that is under way finds another by itself, and so does the next try of
        one that failed.
        """
        self._held = None
        if self._refresh_at == NEVER:
            return
        if self._is_outbound or leads_back_only(flow):
            self._refresh_at = NEVER
            self._core.demote(self._identity, self)
            self._core.emit(FlowLost(self, error))
        else:  # we are reached without it; a registrar that restarts forgets us
            self._refresh_at = min(self._refresh_at, max(now, self._registered_at + PAUSE))
            self._core.schedule(self)

    def _forget(self) -> None:
        """The binding is no more."""
        self.grant = None
        self._core.unbind(self._identity, self)
        if self._held is not None:
            self._core.release_flow(self._held, self)
            self._held = None


def leads_back_only(flow: Flow) -> bool:
    """Whether our Contact over ``flow`` leads to this connection and nowhere else: we do not listen."""
    return flow.reliable and (flow.advertised == flow.local or not flow.advertised[1])


def route_set(proxy: str | None, service_route: tuple[str, ...]) -> tuple[str, ...]:
    """The route set of requests outside of dialogs (RFC 3608 §6): our proxy, then the Service-Route; the
    proxy is not passed twice where the Service-Route begins with it.
    """
    if proxy is None or (service_route and _same_uri(proxy, service_route[0])):
        return service_route
    return proxy, *service_route


def _same_uri(one: str, other: str) -> bool:
    try:
        return NameAddr.parse(one).uri == NameAddr.parse(other).uri
    except ParseError:
        return False
