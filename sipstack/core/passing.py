"""Requests in dialogs of other nodes: each is passed on to the one that its Request-URI names.

Each node of a cluster names itself in its Contact (``;node=a``), so that whoever is between it and its peers
need not know which one has a dialog. A node passes on what is another's like a stateless proxy (RFC 3261
§16.11): retransmissions, CANCEL and ACK get the branch of their request, and the responses go back the way
that it came. Where the owner is not there we answer ourselves: with the session that it has left, or 481.

Only nodes that were named to us get anything, and only what names them. What was passed on once is not passed
on again.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Protocol

import attrs

from sipstack.core.owner import Owner
from sipstack.core.passed_request import PassedRequest, PassingCore, Rule, Table, hops_left
from sipstack.core.peers import is_at
from sipstack.errors import ParseError
from sipstack.identifiers import MAGIC_COOKIE, Identifiers
from sipstack.message import Request, Response, SipUri
from sipstack.transaction.flow import Flow

MARK = f"{MAGIC_COOKIE}node-"
"""How the branch of a request begins that a node has passed on."""
MOST = 10_000
"""Requests that are remembered; the oldest is forgotten."""


class PassingOnCore(PassingCore, Protocol):
    """The parts of the core that decide what is passed on."""

    identifiers: Identifiers

    def is_here(self, request: Request) -> bool:
        """Whether we answer it, or know that its dialog is over."""

    def refuse(self, request: Request, flow: Flow, status: int) -> None:
        """Statelessly."""


class Passing:
    """The other nodes by name, and what is on its way to them. ``heirs``: whether another node can take over
    what one has.
    """

    __slots__ = ("_core", "_owners", "_passed", "_rule", "_secret")

    def __init__(self, core: PassingOnCore, nodes: Mapping[str, str], *, heirs: bool) -> None:
        self._core = core
        self._owners = {name.lower(): Owner(name, hop) for name, hop in nodes.items()}
        self._passed: Table = {}
        # A copy may be one that the network has made. Where nobody can take over, one that is lost must end
        # no call
        t1 = core.timers.t1
        self._rule = Rule(t1 / 2 if heirs else 8 * t1, heirs)
        self._secret = core.identifiers.octets(16)

    def __len__(self) -> int:
        return len(self._passed)

    def takes(self, request: Request, back: Flow, now: float) -> bool:
        """Whether ``request`` is dealt with; else it is ours. ``back``: where its responses go."""
        try:
            owner = self._owner_of(request)
        except ParseError:  # whoever serves it says so
            return False
        if owner is None or self._core.is_here(request):
            return False
        branch = self._branch_of(request)
        known = self._passed.get((branch, request.method))
        if known is not None:
            return known.again(now)
        if request.method == "ACK":
            if not owner.rests(now) and hops_left(request) != 0:
                self._request(request, branch, back, owner).send(now)
            return True
        if not owner.takes(now):
            return False
        if hops_left(request) == 0:
            self._core.refuse(request, back, 483)
            return True
        if len(self._passed) >= MOST:
            next(iter(self._passed.values())).forget()
        self._request(request, branch, back, owner).begin(now)
        return True

    def _request(self, request: Request, branch: str, back: Flow, owner: Owner) -> PassedRequest:
        return PassedRequest(self._core, self._rule, self._passed, request, branch, back, owner)

    def returns(self, response: Response, now: float) -> bool:
        """Whether ``response`` is of a request that we have passed on."""
        known = self._passed.get((response.via.branch or "", response.cseq.method))
        if known is None:
            return False
        known.response_received(response, now)
        return True

    def flow_failed(self, flow: Flow, now: float) -> None:
        """Nobody is at the other end of ``flow``: what is on its way there is ours."""
        for owner in self._owners.values():
            if owner.flow == flow:
                owner.refused(now)

    def origin(self, request: Request, flow: Flow, now: float) -> Flow:
        """``flow`` as whoever has passed ``request`` on to us sees it: with the address of the peer."""
        via = request.via
        if not (via.branch or "").startswith(MARK) or len(request.vias) < 2:
            return flow
        router, host = self._core.router, flow.remote[0]
        if not any(is_at(router, host, owner.hop, now) for owner in self._owners.values()):
            return flow
        peer = request.vias[1]
        address = peer.received or peer.host.strip("[]"), peer.rport or peer.port or flow.remote[1]
        return attrs.evolve(flow, remote=address)

    def _owner_of(self, request: Request) -> Owner | None:
        """The other node whose dialog it is, unless somebody has passed it on already."""
        uri = request.uri
        if not isinstance(uri, SipUri) or request.to.tag is None:
            return None
        owner = self._owners.get((uri.parameters.get("node") or "").lower())
        if owner is None or any(MARK in via for via in request.headers.raw("Via")):
            return None
        return owner

    def _branch_of(self, request: Request) -> str:
        """The same for all copies of a request, its CANCEL and the ACK of its refusal (§16.11). Without our
        secret nobody knows it who does not see what we pass on: nobody else can answer.
        """
        via, cseq = request.via, request.cseq
        parts = via.branch or "", via.sent_by, request.call_id, request.from_.tag or "", str(cseq.number)
        octets = "\0".join(parts).encode("utf-8", "surrogateescape")
        return MARK + blake2b(octets, key=self._secret, digest_size=10).hexdigest()
