"""Asks who begins something with us for credentials, and checks them (RFC 3261 §22.2)."""

from __future__ import annotations

from sipstack.core.admission import source_of
from sipstack.core.lockout import Lockout
from sipstack.dialog.proof import UNASKED, Proof
from sipstack.dialog.services import Refusal
from sipstack.message import Request
from sipstack.message.auth import Credentials
from sipstack.message.digest_server import DigestServer, HA1Lookup, Verdict
from sipstack.transaction.flow import Flow
from sipstack.transaction.timers import NEVER

LONGEST_NAME = 256
"""Characters of a user name: no table keeps longer ones."""


class Gatekeeper:
    """Lets a request in whose credentials are right. A nonce is good for the source that it was given to.

    Only who gives back such a nonce can fail, so that nobody is locked out by what is sent in his name.
    """

    __slots__ = ("_again_after", "_digest", "_lockout", "_lookup")

    def __init__(self, digest: DigestServer, lookup: HA1Lookup, again_after: float | None = None) -> None:
        self._again_after = NEVER if again_after is None else again_after
        self._digest = digest
        self._lookup = lookup
        self._lockout = Lockout()

    def share(self, secret: bytes, issuer: str, epoch: float) -> None:
        """See ``DigestServer.share``."""
        self._digest.share(secret, issuer, epoch)

    def refusal(self, request: Request, flow: Flow, now: float) -> Refusal | None:
        """How ``request``, which came on ``flow``, is refused: 401 with challenges, or 403 while its sender
        has to wait after too many wrong passwords; None when its user has proved himself.
        """
        source, given = source_of(flow), self._credentials(request)
        if given is None:
            return self._challenge(now, source)
        if self._lockout.is_locked(source, given.username, now):
            return 403, ()
        verdict = self._digest.check(given, request.method, request.body, self._lookup, now, source)
        if verdict is Verdict.OK:
            self._lockout.succeeded(source, given.username)
            return None
        if verdict is Verdict.WRONG and self._digest.is_live(given.nonce, now, source):
            self._lockout.failed(source, given.username, now)
        return self._challenge(now, source, stale=verdict is not Verdict.WRONG)

    def proof(self, request: Request, flow: Flow, now: float) -> Proof | None:
        """Who has proved himself by ``request``, which was let in."""
        user = self.user_of(request)
        return None if user is None else Proof(user, now + self._again_after, source_of(flow))

    def refusal_inside(self, proof: Proof, request: Request, flow: Flow, now: float) -> Refusal | None:
        """How a request is refused in a dialog that the user in ``proof`` has begun: like one outside, where
        credentials are given, or due again; and with 403 when they are those of another user.

        What no 401 may stop is let in whatever its credentials, but for another user's.
        """
        source, given = source_of(flow), self._credentials(request)
        if given is None:
            return self._challenge(now, source) if proof.is_due(request.method, source, now) else None
        refused = self.refusal(request, flow, now)
        if refused is not None:
            return None if request.method in UNASKED else refused
        if given.username != proof.user:
            return 403, ()
        proof.until, proof.source = now + self._again_after, source
        return None

    def user_of(self, request: Request) -> str | None:
        """The name of the user that a request which was let in proved; None inside of a dialog, where nobody
        is asked.
        """
        given = self._credentials(request) if request.to.tag is None else None
        return None if given is None else given.username

    def _credentials(self, request: Request) -> Credentials | None:
        if "Authorization" not in request.headers:
            return None
        for given in request.headers.readable("Authorization"):
            if given.realm == self._digest.realm and len(given.username) <= LONGEST_NAME:
                assert isinstance(given, Credentials)
                return given
        return None

    def _challenge(self, now: float, source: str, *, stale: bool = False) -> Refusal:
        challenges = self._digest.challenges(now, stale, source)
        return 401, tuple(("WWW-Authenticate", str(challenge)) for challenge in challenges)
