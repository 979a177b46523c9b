"""Placing calls."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from sipstack.errors import LocalProtocolError
from sipstack.log import CALL
from sipstack.message import NameAddr
from sipstack.message.headers import HeaderFields
from sipstack.ua.account import Account, Sender
from sipstack.ua.agent_base import AgentBase
from sipstack.ua.arguments import (
    IN_INVITES,
    HeadersArgument,
    header_fields,
    target_uri,
)
from sipstack.ua.blocks import CallBlock, InviteBlock
from sipstack.ua.call import Call
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.ua.presentation import ANONYMOUS_FROM, OWNED, Introduction, Presentation
from sipstack.ua.redirecting import Redirections
from sipstack.ua.runtime import MediaFactory
from sipstack.ua.trusted import asserts
from sipstack.usage.invite.expiry import NAME as EXPIRY
from sipstack.usage.invite.expiry import Expiry
from sipstack.usage.invite.extension import NO_WISHES
from sipstack.usage.invite.session_timer import TAG, SessionTimer

if TYPE_CHECKING:
    from sipstack.stir import Signer


IN_INTRODUCTIONS = IN_INVITES | OWNED


class Calling(AgentBase):
    """Places calls."""

    def call(
        self,
        target: str,
        *,
        headers: HeadersArgument = (),
        media: MediaFactory | None = None,
        ring_timeout: float | None = None,
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
        session_timer: SessionTimer | None = None,
        expiry: Expiry | None = None,
        redirects: int = 0,
        privacy: str | None = None,
        signer: Signer | None = None,
    ) -> AbstractAsyncContextManager[Call]:
        """Place a call and own it: entering waits for the answer, leaving hangs up.

        ``ring_timeout`` is how many seconds it may ring; then TransactionTimeout. ``session_timer``: the one
        of this call, in place of the user agent's, and ``expiry`` likewise. ``redirects``: how many targets
        that 3xx responses name are tried after the first, best first; without it the CallRejected of a 3xx
        has them, as ``response.contacts``. ``privacy``: what the other side is not to be told of us: ``"id"``
        hides who we are, in From and Contact too, and asks the network to hide it (RFC 3323, RFC 3325); other
        values are ``header``, ``session``, ``user`` and ``critical``, with semicolons between them.
        ``signer`` signs who we are (RFC 8224). Raises CallRejected, AuthenticationFailed, TransactionTimeout,
        TransportError, ResolutionError, NegotiationError, RemoteProtocolError, MediaError.
        """
        sender = self._sender(account, from_, max_forwards)
        presentation = Presentation.of(privacy, signer)
        fields = header_fields(headers, IN_INVITES if presentation is None else IN_INTRODUCTIONS)
        choices = sender, session_timer, expiry, redirects, presentation
        begin = partial(self._invite, target, fields, media, True, *choices)
        return CallBlock(begin, ring_timeout)

    def invite(
        self,
        target: str,
        *,
        headers: HeadersArgument = (),
        media: MediaFactory | None = None,
        offer: bool = True,
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
        session_timer: SessionTimer | None = None,
        expiry: Expiry | None = None,
        redirects: int = 0,
        privacy: str | None = None,
        signer: Signer | None = None,
    ) -> AbstractAsyncContextManager[OutgoingInvite]:
        """Place a call step by step: provisional responses, early media, the answer. Leaving the block
        cancels or hangs up. Without ``offer`` the callee makes it (late offer).
        """
        sender = self._sender(account, from_, max_forwards)
        presentation = Presentation.of(privacy, signer)
        fields = header_fields(headers, IN_INVITES if presentation is None else IN_INTRODUCTIONS)
        choices = sender, session_timer, expiry, redirects, presentation
        return InviteBlock(partial(self._invite, target, fields, media, offer, *choices))

    def _wishes(self, timer: SessionTimer | None, expiry: Expiry | None) -> Mapping[str, Any]:
        """What a call asks of extensions. Raises LocalProtocolError where the user agent has no timers."""
        if timer is None and expiry is None:
            return NO_WISHES
        wishes: dict[str, Any] = {} if expiry is None else {EXPIRY: expiry}
        if timer is not None:
            if TAG not in self._runtime.core.registry.extensions:
                raise LocalProtocolError(
                    "this user agent has no session timers: give it session_timer= as well"
                )
            wishes[TAG] = timer
        return wishes

    async def _invite(
        self,
        target: str,
        headers: HeaderFields,
        factory: MediaFactory | None,
        offer: bool,
        sender: Sender,
        session_timer: SessionTimer | None = None,
        expiry: Expiry | None = None,
        redirects: int = 0,
        presentation: Presentation | None = None,
    ) -> OutgoingInvite:
        runtime = self._runtime
        target = target_uri(target)
        asserting = asserts(headers, runtime.trusted)
        from_ = sender.from_towards(target)
        introduction = None
        if presentation is not None:
            caller = from_ or (sender.identity or self._accounts[0]._identity).aor
            introduction = Introduction(presentation, caller, target, runtime.trusted)
            headers = (*headers, *presentation.headers)
            from_ = ANONYMOUS_FROM if presentation.anonymous else from_
        usage = runtime.core.outgoing(
            target,
            headers,
            identity=sender.identity,
            from_=from_,
            max_forwards=sender.max_forwards,
            wishes=self._wishes(session_timer, expiry),
            anonymous=presentation is not None and presentation.anonymous,
        )
        CALL.info("%s: calling %s", usage.call_id, target)
        follows = None
        if redirects:
            identity = sender.identity or self._accounts[0]._identity
            follows = Redirections(target, redirects, through_proxy=bool(identity.routes))
        outgoing = OutgoingInvite(runtime, usage, follows, introduction)
        try:
            await outgoing._start(factory, offer=offer, asserting=asserting)
        except BaseException:
            await outgoing._close()
            raise
        return outgoing
