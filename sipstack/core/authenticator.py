"""Answers 401 and 407 with the credentials of an identity (RFC 3261 §22, RFC 8760)."""

from __future__ import annotations

from collections.abc import Sequence

from sipstack.dialog.draft import Draft
from sipstack.errors import ParseError
from sipstack.identifiers import Identifiers
from sipstack.message import Headers, Response
from sipstack.message.digest import Authentication, DigestAccount, DigestClient

CREDENTIALS = ("Authorization", "Proxy-Authorization")
MAXIMUM_REMEMBERED = 64
NOTHING = Authentication()


class Authenticator:
    """Knows the accounts of one identity and counts how often each nonce is used."""

    __slots__ = ("_client", "_identifiers", "_remembered")

    def __init__(self, accounts: Sequence[DigestAccount], identifiers: Identifiers) -> None:
        self._client = DigestClient(*accounts) if accounts else None
        self._identifiers = identifiers
        self._remembered: dict[str, Authentication] = {}

    def accepted(self, draft: Draft) -> Authentication:
        """What was accepted last for this Request-URI, to be given before we are asked (§22.3)."""
        return self._remembered.get(draft.uri, NOTHING)

    def concluded(self, draft: Draft, answered: Authentication, status: int) -> None:
        """The final response to a request with credentials: unless they were refused, the next request to the
        same URI begins with them.
        """
        self._remembered.pop(draft.uri, None)
        if status in (401, 407):
            return
        if len(self._remembered) >= MAXIMUM_REMEMBERED:
            self._remembered.pop(next(iter(self._remembered)))
        self._remembered[draft.uri] = answered.untried()

    def challenged(self, before: Authentication, response: Response) -> Authentication | None:
        """What to answer; None when we have no account, or it was refused (§22.1)."""
        if self._client is None:
            return None
        try:
            www = response.headers.typed("WWW-Authenticate")
            proxy = response.headers.typed("Proxy-Authenticate")
        except ParseError:
            return None
        return self._client.challenged(before, www, proxy)

    def authorized(self, draft: Draft, answered: Authentication) -> Headers:
        """``draft``'s header fields with fresh credentials in place of old ones."""
        assert self._client is not None
        cnonce = self._identifiers.cnonce()
        credentials = self._client.credentials(answered, draft.method, draft.uri, draft.body, cnonce)
        return Headers(credentials).joined(draft.headers.without(*CREDENTIALS))
