"""Digest authentication for SIP: the server (RFC 3261 §22.4, RFC 7616 §3.3 and §5, RFC 8760)."""

from __future__ import annotations

import enum
import hmac
from collections.abc import Callable, Sequence

from sipstack.errors import ParseError
from sipstack.message.auth import Challenge, Credentials
from sipstack.message.digest import Algorithm, DigestInput
from sipstack.message.nonce import Nonces

HA1Lookup = Callable[[str, str], str | None]
"""From a username and an algorithm (without ``-sess``) to ``ha1(...)``; None for an unknown user."""


class Verdict(enum.Enum):
    """The result of checking credentials. To all but OK the answer is new challenges."""

    OK = "ok"
    WRONG = "wrong"  # malformed, of another realm, or made with another password
    STALE = "stale"  # right, but the nonce has expired or is not ours: challenge with stale=True
    REPLAYED = "replayed"  # right, but the nonce count was there before: challenge with stale=True


class DigestServer:
    """Challenges, and checks what comes back, for one realm.

    ``secret`` signs the nonces: random octets, the same in all servers that accept one another's nonces.
    ``algorithms`` come in order of preference, ``-sess`` variants under their own name; one that this Python
    lacks is not offered. With an empty ``qop`` the form of RFC 2069 is used, and each nonce is good for one
    request. ``nonce_lifetime`` is in seconds. The memory is bounded as ``Nonces`` says. ACK and CANCEL must
    not be challenged (RFC 3261 §22.1).
    """

    __slots__ = ("_algorithms", "_lifetime", "_nonces", "_qop", "realm")

    def __init__(
        self,
        realm: str,
        secret: bytes,
        algorithms: Sequence[str] = ("SHA-256", "MD5"),
        qop: Sequence[str] = ("auth",),
        nonce_lifetime: float = 300.0,
    ) -> None:
        self.realm = realm
        self._algorithms = {found: token for token in algorithms if (found := Algorithm.find(token))}
        self._qop = tuple(qop)
        self._lifetime = nonce_lifetime
        self._nonces = Nonces(secret, nonce_lifetime)
        if not self._algorithms:
            raise ValueError(f"none of the algorithms {algorithms!r} is available")
        if not {"auth", "auth-int"}.issuperset(qop):
            raise ValueError(f"qop is of auth and auth-int, not {qop!r}")
        if not qop and any(algorithm.session for algorithm in self._algorithms):
            raise ValueError("a -sess algorithm needs a qop")

    def __repr__(self) -> str:
        return f"<DigestServer {self.realm!r} {list(self._algorithms.values())}>"

    def share(self, secret: bytes, issuer: str, epoch: float) -> None:
        """From now on the nonces are those of all servers with this ``secret``: see ``Nonces``. Those of
        before are stale.
        """
        self._nonces = Nonces(secret, self._lifetime, issuer=issuer, epoch=epoch)

    def challenges(self, now: float, stale: bool = False, binding: str = "") -> list[Challenge]:
        """One challenge for each algorithm, the preferred one first, all with the same new nonce.

        ``binding`` ties the nonce to something that the next request must repeat, such as its source address.
        """
        nonce = self._nonces.issue(now, binding)
        return [
            Challenge.digest(realm=self.realm, nonce=nonce, algorithm=token, qop=self._qop, stale=stale)
            for token in self._algorithms.values()
        ]

    def is_live(self, nonce: str, now: float, binding: str = "") -> bool:
        """Whether ``nonce`` is one of ours that may be used still: who gives it back has heard us."""
        return self._nonces.is_live(nonce, now, binding)

    def check(
        self,
        credentials: Credentials,
        method: str,
        body: bytes,
        lookup: HA1Lookup,
        now: float,
        binding: str = "",
    ) -> Verdict:
        """Whether ``credentials`` authenticate a request that has this method and body.

        The digest covers the URI in the credentials. That it differs from the Request-URI is no failure in
        SIP, because proxies rewrite the latter (RFC 3261 §22.4); compare
        ``credentials.uri`` where it matters.
        """
        try:
            if not self._is_right(credentials, method, body, lookup):
                return Verdict.WRONG
            count = credentials.nc if self._qop else 1
        except ParseError:
            return Verdict.WRONG
        if not self._nonces.is_live(credentials.nonce, now, binding):
            return Verdict.STALE
        return Verdict.OK if self._nonces.count(credentials.nonce, count or 0) else Verdict.REPLAYED

    def _is_right(self, credentials: Credentials, method: str, body: bytes, lookup: HA1Lookup) -> bool:
        algorithm = Algorithm.find(credentials.algorithm)
        if algorithm not in self._algorithms or not credentials.is_digest or credentials.realm != self.realm:
            return False
        if (credentials.qop or "") not in (self._qop or ("",)):
            return False
        hashed = DigestInput(
            credentials.nonce,
            method,
            credentials.uri,
            body,
            credentials.qop or "",
            credentials.text("nc") or "",
            credentials.cnonce or "",
        )
        known = lookup(credentials.username, algorithm.family)
        # For an unknown user the same work is done, so that the time tells nothing.
        expected = hashed.response(algorithm, known or "")
        given = credentials.response.encode("utf-8", "surrogateescape")
        return hmac.compare_digest(expected.encode("ascii"), given) and known is not None
