"""Who may begin something with us: the users of a realm, and what proves that it is one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from sipstack.core.gatekeeper import Gatekeeper
from sipstack.errors import LocalProtocolError
from sipstack.identifiers import Identifiers
from sipstack.message.digest_server import DigestServer, HA1Lookup
from sipstack.message.hashing import Algorithm, Ha1, as_password, ha1
from sipstack.message.secret import Secret
from sipstack.store.key_ring import KeyRing, Keys
from sipstack.ua.arguments import check_algorithm, check_text

NOBODY = Secret("")
"""The password of who is no user: it is hashed all the same, so that the time tells nobody's name."""

Users = Mapping[str, Secret | Ha1] | HA1Lookup


def _concealed(users: Mapping[str, str | Secret | Ha1] | HA1Lookup) -> Users:
    return users if callable(users) else {name: as_password(given) for name, given in users.items()}


@attrs.frozen(eq=False)
class Authentication:
    """Credentials that ``UserAgent.serve`` asks for with 401 (RFC 3261 §22.2, RFC 7616, RFC 8760).

    ``realm``: the name of the protection domain, which the other side shows to its user, or finds its
    password by. ``users``: their passwords by name, or an ``Ha1`` in place of each; or a function that takes
    a name and an algorithm and gives ``ha1(...)``, None for nobody. It is called in the event loop for every
    guess, and should take as long for nobody as for somebody. ``algorithms``, best first, are offered at
    once; those that the users' Ha1s do not serve are left out. ``lifetime``: seconds after which a nonce is
    replaced. With ``UserAgent(sessions=...)`` all nodes that share the store take one another's nonces: see
    ``ua.shared_nonces``. Their secret lies in the store as it is, unless there are ``keys`` to seal it: as in
    ``Sealed``, a file that only its owner may read, or a list of keys of 32 octets, the one that seals first.
    All nodes need them.

    A call belongs to the user who has begun it: a request in it that proves another one gets 403, and one
    with wrong credentials 401. ``again_after``: seconds after which the next request in a call has to prove
    him again, and gets 401 until it does; and so does at once what comes from another IP address. None:
    never. BYE, PRACK and OPTIONS go without, so a call can always end; see ``peers`` for those. Nobody is
    asked who sends nothing: to end calls that are never proved again, have the peer refresh them
    (``SessionTimer(refresher="remote")``), or see ``Expiry``.

    An INVITE with Replaces (RFC 3891) takes another call's place whoever has proved himself, as in a
    transfer: a handler that minds compares ``invitation.user`` with the ``user`` of ``invitation.replaces``.

    After five wrong passwords for one user from one source (IP address) it is not listened to for a second,
    and twice as long after each that follows, up to five minutes: then it gets 403. Those who guess at many
    users from one source, or at one user from many sources, are held up as well. Raises LocalProtocolError.
    """

    realm: str
    users: Users = attrs.field(repr=False, converter=_concealed)
    algorithms: Sequence[str] = ("SHA-256", "MD5")
    lifetime: float = 300.0
    again_after: float | None = attrs.field(default=None, kw_only=True)
    keys: Keys | None = attrs.field(default=None, kw_only=True, repr=False)

    def __attrs_post_init__(self) -> None:
        check_text(self.realm)
        for algorithm in self.algorithms:
            check_algorithm(algorithm)
        if not self._offered:
            raise LocalProtocolError("there is no algorithm that all users can be asked for")
        if not self.lifetime > 0:
            raise LocalProtocolError(f"a lifetime of {self.lifetime!r} s leaves no time to answer")
        if self.again_after is not None and not self.again_after > 0:
            raise LocalProtocolError(f"nobody can prove himself again after {self.again_after!r} s")

    @property
    def _offered(self) -> list[str]:
        """The algorithms that every user can answer."""
        users: Mapping[str, Secret | Ha1] = {} if callable(self.users) else self.users
        families = {each.family for each in users.values() if isinstance(each, Ha1)}
        offered = [(name, Algorithm.find(name)) for name in self.algorithms]
        return [name for name, known in offered if known is not None and families <= {known.family}]

    @property
    def _lookup(self) -> HA1Lookup:
        users = self.users
        return users if callable(users) else _of_mapping(users, self.realm)

    @property
    def _ring(self) -> KeyRing | None:
        """The keys, read anew. Raises StoreError."""
        return None if self.keys is None else KeyRing(self.keys)

    def _gatekeeper(self, identifiers: Identifiers) -> Gatekeeper:
        """A new one, whose nonces are good for itself alone, until it shares those of others."""
        digest = DigestServer(self.realm, identifiers.octets(32), self._offered, nonce_lifetime=self.lifetime)
        return Gatekeeper(digest, self._lookup, self.again_after)


def _of_mapping(users: Mapping[str, Secret | Ha1], realm: str) -> Callable[[str, str], str | None]:
    def lookup(name: str, algorithm: str) -> str | None:
        password = users.get(name)
        if isinstance(password, Ha1):
            return password.secret.reveal() if password.family == algorithm else None
        hashed = ha1(name, realm, (password or NOBODY).reveal(), algorithm)
        return None if password is None else hashed

    return lookup
