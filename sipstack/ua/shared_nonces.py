"""The secret of the nonces of ``authenticate=``, which all nodes with one store share (RFC 7616 §5.4)."""

from __future__ import annotations

import asyncio
from typing import Protocol

from sipstack.identifiers import Identifiers
from sipstack.log import TRANSACTION
from sipstack.outcome import Absent, Outcome
from sipstack.store.key_ring import KeyRing
from sipstack.store.port import Taken
from sipstack.store.sealed_secret import SEALED, seal, unseal
from sipstack.ua.kept_state import AGAIN, KeptState, key_of

ROTATION = 86400.0
"""Seconds after which another secret takes the place of one. Clients get stale=true once, and ask nobody."""
REVIEW = 60.0
"""Seconds after which a node looks whether the secret is another one: a store may have been emptied."""
OCTETS = 32
TRIES = 8


class Guard(Protocol):
    """Who makes nonces, and checks them."""

    def share(self, secret: bytes, issuer: str, epoch: float) -> None:
        """See ``DigestServer.share``."""


class SharedNonces:
    """Gives ``guard`` the secret that is in the store, so that a nonce of one node is good at the others, and
    after a restart. Without the store it has one of its own, and asks again.

    Without ``ring`` it stands in the store as it is: everybody who writes there has to be trusted with it,
    and who can read it can make nonces that count as ours. He needs the password all the same; what he gains
    is that he may choose the nonce of a client that he has answer him, and so prepare for guessing its
    password. Passwords themselves, or anything made of them, are not in the store.

    With ``ring`` it is sealed by keys that are nowhere in the store (AES-256-GCM): one in clear is not taken
    then, but replaced. A node without the keys leaves a sealed one alone; its nonces are good for itself.

    What counts is what is read after writing: so two nodes that begin, or replace the secret, at a time end
    with the same. Its age in the store is their common clock. What somebody overheard and sends once more
    stays refused where it was used, and see ``Nonces`` for the others.
    """

    def __init__(
        self,
        kept: KeptState,
        realm: str,
        guard: Guard,
        identifiers: Identifiers,
        ring: KeyRing | None = None,
    ) -> None:
        self._kept = kept
        self._ring = ring
        self._key = key_of("secret", realm)
        self._guard = guard
        self._identifiers = identifiers
        self._issuer = identifiers.octets(4).hex()
        self._secret: bytes | None = None  # the one in use
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = False
        self._complained = False

    def __repr__(self) -> str:
        return f"<SharedNonces {self._key!r}>"  # never the secret

    async def begin(self) -> None:
        """Find the secret, or make it. Waits for the store, a moment at the most."""
        loop = asyncio.get_running_loop()
        left = await self._agree()
        if left is None and not self._complained:
            self._complained = True
            text = "%s: the store fails, or what it has is sealed: our nonces are good for ourselves alone"
            TRANSACTION.warning(text, self._key)
        if not self._over:
            self._timer = loop.call_later(AGAIN if left is None else left, self._look_again)

    def end(self) -> None:
        """It is looked for no more."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _look_again(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self.begin())

    async def _agree(self) -> float | None:
        """The seconds until it is looked for again; None where the store fails."""
        for _ in range(TRIES):
            found = await self._kept.take(self._key)
            if found is Absent.FAILED:
                return None
            if isinstance(found, Taken) and found.age < ROTATION:
                values = self._kept.read(self._key, found)
                text = values if isinstance(values, str) else ""
                if self._ring is None and text.startswith(SEALED):
                    return None  # those who have the keys go on with it
                secret = self._read(text)
                if secret is not None:
                    self._use(secret, asyncio.get_running_loop().time() - found.age)
                    return min(max(ROTATION - found.age, 1.0), REVIEW)
            epoch = found.epoch if isinstance(found, Taken) else 0
            made = self._written(self._identifiers.octets(OCTETS))
            if await self._kept.write(self._key, made, epoch, 2 * ROTATION) is Outcome.FAILED:
                return None
        return None

    def _use(self, secret: bytes, epoch: float) -> None:
        self._complained = False
        if not self._over and secret != self._secret:
            self._secret = secret
            self._guard.share(secret, self._issuer, epoch)

    def _written(self, secret: bytes) -> str:
        if self._ring is None:
            return secret.hex()
        return seal(self._ring, self._key, secret, self._identifiers.octets(12))

    def _read(self, text: str) -> bytes | None:
        if self._ring is not None:
            secret = unseal(self._ring, self._key, text)
        else:
            try:
                secret = bytes.fromhex(text)
            except ValueError:
                return None
        return secret if secret is not None and len(secret) == OCTETS else None
