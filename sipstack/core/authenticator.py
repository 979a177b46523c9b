"""Answers 401 and 407 with the credentials of an identity (RFC 3261 §22, RFC 8760)."""

from __future__ import annotations

from collections.abc import Sequence

from sipstack.dialog.draft import Draft
from sipstack.identifiers import Identifiers
from sipstack.message import Headers, Response
from sipstack.message.digest import NOTHING, Authentication, DigestAccount, DigestClient

CREDENTIALS = ("Authorization", "Proxy-Authorization")
MAXIMUM_REMEMBERED = 64


class Authenticator:
    """Knows the accounts of one identity and counts how often each nonce is used.

    Whose challenges it gets to see is decided before: those of requests that we started went to our
    registrar, our proxy or the target called. In a call that came in the identity is that ``for_callers``.
    """

    __slots__ = ("_client", "_identifiers", "_refused", "_taken")

    def __init__(self, accounts: Sequence[DigestAccount], identifiers: Identifiers) -> None:
        self._client = DigestClient(*accounts) if accounts else None
        self._identifiers = identifiers
        self._taken: dict[str, Authentication] = {}
        """What was accepted last, by Request-URI; the URI that was used last is the last one."""
        self._refused: set[str] = set()
        """Of these URIs, those where it was refused since: it is not given unasked."""

    def accepted(self, draft: Draft) -> Authentication:
        """What was accepted last for this Request-URI, to be given before we are asked (§22.3)."""
        return NOTHING if draft.uri in self._refused else self._taken.get(draft.uri, NOTHING)

    def concluded(self, draft: Draft, answered: Authentication, status: int) -> None:
        """The final response to a request with credentials: unless they were refused, the next request to the
        same URI begins with them. Nothing weaker is given there from now on.
        """
        uri = draft.uri
        if status in (401, 407):
            if uri in self._taken:
                self._refused.add(uri)
            return
        self._taken.pop(uri, None)
        self._refused.discard(uri)
        if len(self._taken) >= MAXIMUM_REMEMBERED:
            oldest = next(iter(self._taken))
            del self._taken[oldest]
            self._refused.discard(oldest)
        self._taken[uri] = answered.untried()

    def challenged(self, draft: Draft, before: Authentication, response: Response) -> Authentication | None:
        """What to answer; None when we have no account, or it was refused (§22.1). One challenge that cannot
        be read is as good as absent.
        """
        if self._client is None:
            return None
        headers = response.headers
        www, proxy = headers.readable("WWW-Authenticate"), headers.readable("Proxy-Authenticate")
        return self._client.challenged(before, www, proxy, self._taken.get(draft.uri, NOTHING))

    def authorized(self, draft: Draft, answered: Authentication) -> Headers:
        """``draft``'s header fields with fresh credentials in place of old ones."""
        assert self._client is not None
        cnonce = self._identifiers.cnonce()
        credentials = self._client.credentials(answered, draft.method, draft.uri, draft.body, cnonce)
        return Headers(credentials).joined(draft.headers.without(*CREDENTIALS))
