"""The dialog: a small record of values: both ends, and the way of requests between them (RFC 3261 §12).

Nothing in it lives: it can be written out and read back in another process. Its usages and the flow that its
requests take are kept by `DialogUsages`.
"""

from __future__ import annotations

import attrs

from sipstack.dialog.draft import Draft
from sipstack.dialog.identity import ANONYMOUS, Identity
from sipstack.errors import RemoteProtocolError
from sipstack.message import Headers, NameAddr, Request, Response, SipUri
from sipstack.message.headers import HeaderFields
from sipstack.message.message import with_tag
from sipstack.message.session_id import LENGTH, paired, sender_of


@attrs.define
class Dialog:
    """One peer-to-peer relation of two user agents.

    ``local`` and ``remote`` are complete From/To values, tags included, echoed to the letter as §12.2.1.1
    wants.
    """

    call_id: str
    local_tag: str
    remote_tag: str  # "" for an RFC 2543 peer
    local: str
    remote: str
    remote_target: str
    route_set: tuple[str, ...]
    local_cseq: int
    remote_cseq: int | None
    early: bool
    secure: bool = False
    """Whether it began over a secure flow, for a sips: URI (§12.1.1): then all its hops must be secure."""
    session_id: str = ""
    """The Session-ID of our messages in it (RFC 7989): our UUID and the peer's; empty for none."""

    @property
    def key(self) -> tuple[str, str, str]:
        """The dialog ID (§12)."""
        return (self.call_id, self.local_tag, self.remote_tag)

    # -- creation ------------------------------------------------------------------------------------------

    @classmethod
    def as_server(cls, request: Request, local_tag: str, *, secure: bool = False) -> Dialog:
        """The UAS's dialog from a request (§12.1.1) that came over a flow that is ``secure``, or not. Raises
        ParseError or RemoteProtocolError without Contact.
        """
        headers = request.headers
        # the dialog's URIs are read now, not when somebody asks for them
        _ = request.from_.uri, request.to.uri
        return cls(
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=request.from_.tag or "",
            local=with_tag(headers.get("To") or "", local_tag),
            remote=headers.get("From") or "",
            remote_target=target_of(request),
            route_set=_written(request.record_routes) if "Record-Route" in headers else (),
            local_cseq=0,
            remote_cseq=request.cseq.number,
            early=True,
            secure=secure and _asks_for_security(request),
            session_id=request.session_id,
        )

    @classmethod
    def as_client(cls, request: Request, response: Response, *, secure: bool = False) -> Dialog:
        """The UAC's dialog from a response (§12.1.2). Raises ParseError or RemoteProtocolError without
        Contact.
        """
        early = response.status < 200
        return cls(
            call_id=request.call_id,
            local_tag=request.from_.tag or "",
            remote_tag=response.to.tag or "",
            local=request.headers.get("From") or "",
            remote=response.headers.get("To") or "",
            # many peers leave Contact out of a provisional; nothing is sent there before it is known
            remote_target=str(request.uri)
            if early and "Contact" not in response.headers
            else target_of(response),
            route_set=route_set_of(response),
            local_cseq=request.cseq.number,
            remote_cseq=None,
            early=early,
            secure=secure and _was_sent_to_sips(request),
            session_id=_answered(_session_id_of(request), response),
        )

    @classmethod
    def as_subscriber(cls, subscribe: Request, notify: Request, *, secure: bool = False) -> Dialog:
        """The subscriber's dialog from a NOTIFY (RFC 6665 §4.4.1), which may come before the 2xx to its
        SUBSCRIBE and from each fork. Raises ParseError or RemoteProtocolError without Contact.
        """
        return cls(
            call_id=subscribe.call_id,
            local_tag=subscribe.from_.tag or "",
            remote_tag=notify.from_.tag or "",
            local=subscribe.headers.get("From") or "",
            remote=notify.headers.get("From") or "",
            remote_target=target_of(notify),
            route_set=_written(notify.record_routes) if "Record-Route" in notify.headers else (),
            local_cseq=subscribe.cseq.number,
            remote_cseq=None,  # the host takes that of the NOTIFY
            early=False,
            secure=secure and _was_sent_to_sips(subscribe),
            session_id=_answered(_session_id_of(subscribe), notify),
        )

    def confirm(self, response: Response) -> None:
        """The 2xx makes an early dialog a confirmed one; the route set is computed again (§13.2.2.4)."""
        self.early = False
        self.remote_target = target_of(response)
        self.route_set = route_set_of(response)
        self.hear(response)

    def hear(self, message: Request | Response) -> None:
        """The peer's UUID is that of its latest message (RFC 7989 §6): another one, where somebody between us
        has joined it to a new session.
        """
        row = message.headers.index.get("Session-ID")
        if row is not None and self.session_id and row[:32] != self.session_id[-32:]:
            self.session_id = _answered(self.session_id, message)

    # -- requests inside -----------------------------------------------------------------------------------

    def new_target(self, message: Request | Response) -> str:
        """The target of requests once ``message`` has taken effect: its Contact, else as now."""
        return target_of(message) if "Contact" in message.headers else self.remote_target

    def refresh_target(self, message: Request | Response) -> None:
        """A target refresh request or its 2xx carries the peer's present address (§12.2.1.2, §12.2.2)."""
        self.remote_target = self.new_target(message)

    @property
    def next_hop(self) -> str:
        """The URI or name-addr that decides where our requests go first (§8.1.2)."""
        uri, routes, strict = self._route()
        return routes[0] if routes and not strict else uri

    def next_cseq(self) -> int:
        """Count one request of ours (§12.2.1.1)."""
        self.local_cseq += 1
        return self.local_cseq

    def draft(
        self,
        cseq: int,
        method: str,
        headers: Headers | HeaderFields = (),
        body: bytes = b"",
        *,
        contact: bool = False,
        identity: Identity = ANONYMOUS,
    ) -> Draft:
        """A request of ours (§12.2.1.1) with this CSeq number: an ACK has that of its INVITE."""
        uri, routes, strict = self._route()
        own = "" if contact else None
        return Draft(
            method,
            uri,
            self.local,
            self.remote,
            self.call_id,
            cseq,
            routes,
            headers,
            body,
            own,
            strict,
            identity,
            session_id=self.session_id,
        )

    def _route(self) -> tuple[str, tuple[str, ...], bool]:
        """The Request-URI, the Route values, and whether the former is a strict router (§12.2.1.1)."""
        routes = self.route_set
        if not routes:
            return self.remote_target, (), False
        first = NameAddr.parse(routes[0]).uri
        if isinstance(first, SipUri) and "lr" not in first.parameters:
            # a strict router wants itself in the Request-URI and the remote target as the last route
            return str(first), (*routes[1:], f"<{self.remote_target}>"), True
        return self.remote_target, routes, False


def _session_id_of(request: Request) -> str:
    """The Session-ID of a request of ours. One that the application has written may have another form."""
    text = request.headers.get("Session-ID") or ""
    return text if len(text) in (0, LENGTH) else paired(sender_of(request))


def _answered(session_id: str, message: Request | Response) -> str:
    """``session_id`` with the sender of ``message`` as the other end, where that says who it is."""
    if not session_id or "Session-ID" not in message.headers.index:
        return session_id
    heard = message.headers.readable("Session-ID")
    return session_id if heard is None else paired(session_id[:32], heard.local)


def target_of(message: Request | Response) -> str:
    """The URI of the one Contact that a dialog-making message must carry (§8.1.1.8, §12.1.1)."""
    contacts = message.contacts
    if len(contacts) != 1 or isinstance(contacts, str):
        raise RemoteProtocolError("exactly one Contact is needed", 400)
    uri = contacts[0].uri
    if not isinstance(uri, SipUri):
        raise RemoteProtocolError("Contact is not a SIP URI", 400)
    return str(uri)


def route_set_of(response: Response) -> tuple[str, ...]:
    """The UAC's route set: Record-Route in reverse order (§12.1.2)."""
    if "Record-Route" not in response.headers:
        return ()
    return _written(response.record_routes[::-1])


def _written(routes: tuple[NameAddr, ...]) -> tuple[str, ...]:
    """Raises ParseError for a URI that cannot be read: later, our own requests would fail for it."""
    for route in routes:
        _ = route.uri
    return tuple(map(str, routes))


def _asks_for_security(request: Request) -> bool:
    """Whether a request to us wants a secure dialog: by its Request-URI, its topmost Record-Route, or without
    one by its Contact (§12.1.1).
    """
    if request.uri.scheme == "sips":
        return True
    first = request.record_routes or request.contacts
    return len(first) > 0 and first[0].uri.scheme == "sips"


def _was_sent_to_sips(request: Request) -> bool:
    """Whether a request of ours asked for a secure dialog, by its Request-URI or topmost Route (§8.1.1.8)."""
    routes = request.headers.raw("Route")
    return request.uri_text.startswith("sips:") or (bool(routes) and routes[0].startswith("<sips:"))
