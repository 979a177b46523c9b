"""Referring others outside of calls, and being referred."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial

from sipstack.message import NameAddr, Response
from sipstack.message.headers import HeaderFields
from sipstack.ua.account import Account
from sipstack.ua.arguments import HeadersArgument, target_uri
from sipstack.ua.blocks import InviteBlock
from sipstack.ua.calling import Calling
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.ua.referral import Referral, ReferralHandler, Referrals
from sipstack.ua.runtime import MediaFactory
from sipstack.ua.transfer import Transfer, refer_fields, transferring


class Referring(Calling):
    """Refers, and is referred."""

    async def refer(
        self,
        target: str,
        to: str,
        *,
        notify: bool = True,
        headers: HeadersArgument = (),
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> Response:
        """Ask ``target``, a phone perhaps, to call ``to``, outside of any call (click to dial), and wait
        until that is answered. ``notify`` and what it raises are as of ``Call.transfer``.
        """
        async with self.referring(
            target,
            to,
            notify=notify,
            headers=headers,
            account=account,
            from_=from_,
            max_forwards=max_forwards,
        ) as transfer:
            return await transfer.completed()

    def referring(
        self,
        target: str,
        to: str,
        *,
        notify: bool = True,
        headers: HeadersArgument = (),
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> AbstractAsyncContextManager[Transfer]:
        """The same step by step: what is told of the other side's call, then its outcome."""
        runtime = self._runtime
        target, to = target_uri(target), target_uri(to)
        sender = self._sender(account, from_, max_forwards)
        identity = sender.identity or runtime.core.configuration.identity
        by = sender.from_towards(target) or identity.aor
        usage = runtime.core.refer(
            target,
            refer_fields(to, by, headers, notify=notify),
            **sender.towards(target),
        )
        return transferring(Transfer(runtime, usage, to))

    def serving_referrals(self, handler: ReferralHandler) -> AbstractAsyncContextManager[None]:
        """While the ``async with`` block runs, others may refer us: ``handler`` runs in a task of its own for
        each REFER, inside of a call or out of any, and decides on it. Only then it is announced; else it is
        refused with 405. A handler that follows whoever asks:

            async def follow(referral):
                async with referral.follow() as call:
                    await call.ended()

        Anybody may ask to have us call anybody, at our cost: look at ``referral.call`` and ``from_``. Leaving
        the block cancels the handlers. Raises LocalProtocolError when there is such a block already.
        """
        referrals: Referrals = self._runtime.services[Referrals]
        return referrals.serving(handler, self._follow)

    def _follow(
        self,
        target: str,
        headers: HeaderFields,
        media: MediaFactory | None,
        account: Account | None,
        referral: Referral,
    ) -> AbstractAsyncContextManager[OutgoingInvite]:
        sender = self._sender(account or self._account_of(referral), None, 70)
        return InviteBlock(partial(self._invite, target, headers, media, True, sender))

    def _account_of(self, referral: Referral) -> Account | None:
        aor = referral._usage.host.identity.aor
        return next((each for each in self.accounts if each._identity.aor == aor), None)
