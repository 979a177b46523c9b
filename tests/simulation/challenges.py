"""Ways for a scripted peer to ask for credentials, and to check them as a server does (RFC 3261 §22)."""

from __future__ import annotations

from sipstack.message import Request
from sipstack.message.digest import ha1
from sipstack.message.digest_server import DigestServer, Verdict

USERNAME, PASSWORD, REALM = "alice", "open sesame", "example.com"


def server(*algorithms: str) -> DigestServer:
    """A server of the realm that offers these algorithms, the preferred one first."""
    return DigestServer(REALM, b"secret of the server", algorithms or ("MD5",))


def challenge(
    digest: DigestServer, now: float, *, stale: bool = False, field: str = "WWW-Authenticate"
) -> list[tuple[str, object]]:
    """The header fields of a 401, or of a 407 when ``field`` is Proxy-Authenticate."""
    return [(field, each) for each in digest.challenges(now, stale)]


def verdict(digest: DigestServer, request: Request, now: float, *, field: str = "Authorization") -> Verdict:
    """What the one set of credentials in the request is worth."""
    (credentials,) = request.headers.typed(field)
    return digest.check(credentials, request.method, request.body, _lookup, now)


def _lookup(username: str, algorithm: str) -> str | None:
    return ha1(USERNAME, REALM, PASSWORD, algorithm) if username == USERNAME else None
