"""Answers 401 and 407 with the credentials of an identity (RFC 3261 §22, RFC 8760)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sipstack.dialog.draft import Draft
from sipstack.identifiers import Identifiers
from sipstack.message import Headers, Response
from sipstack.message.auth import AuthenticationInfo
from sipstack.message.digest import MAX_REALMS, NOTHING, Authentication, DigestAccount, DigestClient

CREDENTIALS = ("Authorization", "Proxy-Authorization")
MAXIMUM_REMEMBERED = 64
MAXIMUM_CALLS = 4096


class Authenticator:
    """Knows the accounts of one identity and counts how often each nonce is used.

    Whose challenges it gets to see is decided before: those of requests that we started went to our
    registrar, our proxy or the target called. In a call that came in the identity is that ``for_callers``.
    """

    __slots__ = ("_calls", "_client", "_identifiers", "_learned", "_refused", "_taken", "asker")

    def __init__(
        self, accounts: Sequence[DigestAccount], identifiers: Identifiers, asker: Any = None
    ) -> None:
        self._client = DigestClient(*accounts) if accounts or asker is not None else None
        self.asker = asker
        """Who is asked for the credentials of other realms."""
        self._learned: set[str] = set()
        """The realms of which it has told."""
        self._identifiers = identifiers
        self._taken: dict[str, Authentication] = {}
        """What was accepted last, by Request-URI; the URI that was used last is the last one."""
        self._calls: dict[str, Authentication] = {}
        """The same by Call-ID: within a call nothing weaker is given, whatever its URI becomes."""
        self._refused: set[str] = set()
        """Of these URIs, those where it was refused since: it is not given unasked."""

    def accepted(self, draft: Draft) -> Authentication:
        """What was accepted last for this Request-URI, to be given before we are asked (§22.3)."""
        return NOTHING if draft.uri in self._refused else self._taken.get(draft.uri, NOTHING)

    def concluded(self, draft: Draft, answered: Authentication, response: Response) -> bool:
        """The final response to ``draft``, a request with credentials: unless they were refused, the next
        request to the same URI begins with them, and with the nonce that the response asks for. Nothing
        weaker is given there from now on.

        False when the response claims to prove that the server knows the password, and does not (RFC 7616
        §3.5): then nothing of it is believed, nor are credentials given there before we are asked.
        """
        uri = draft.uri
        if response.status in (401, 407):
            if uri in self._taken:
                self._refused.add(uri)
            return True
        headers = response.headers
        if "Authentication-Info" in headers:
            info = headers.readable("Authentication-Info")
            if info is not None and not self._is_proof(info, draft, response):
                self._forget(uri)
                return False
            if info is not None and info.nextnonce:
                answered = answered.next_nonce(info.nextnonce)
        self._forget(uri)
        if len(self._taken) >= MAXIMUM_REMEMBERED:
            self._forget(next(iter(self._taken)))
        self._taken[uri] = answered.untried()
        if draft.call_id not in self._calls and len(self._calls) >= MAXIMUM_CALLS:
            del self._calls[next(iter(self._calls))]
        self._calls[draft.call_id] = self._taken[uri]
        return True

    def _is_proof(self, info: AuthenticationInfo, draft: Draft, response: Response) -> bool:
        """Of what we gave to the server itself. It names no realm, so with several there is nothing to
        compare.
        """
        headers = draft.headers
        given = list(headers.readable("Authorization")) if "Authorization" in headers else []
        if self._client is None or len(given) != 1:
            return True
        return self._client.is_proof(info, given[0], response.body)

    def _forget(self, uri: str) -> None:
        self._taken.pop(uri, None)
        self._refused.discard(uri)

    # -- credentials that somebody is asked for ------------------------------------------------------------

    def unknown(self, response: Response) -> list[str]:
        """The realms that ask, and that no account is for; none where nobody can be asked."""
        if self.asker is None or self._client is None:
            return []
        headers = response.headers
        challenges = *headers.readable("WWW-Authenticate"), *headers.readable("Proxy-Authenticate")
        return self._client.unknown(challenges)[:MAX_REALMS]

    def learn(self, account: DigestAccount) -> None:
        """The credentials of a realm that were asked for. They are forgotten when they are refused."""
        if self._client is None or account.realm is None:
            return
        if len(self._learned) >= MAXIMUM_REMEMBERED and account.realm not in self._learned:
            self._drop(next(iter(self._learned)))
        self._learned.add(account.realm)
        self._client.learn(account)

    def _drop(self, realm: str) -> None:
        self._learned.discard(realm)
        if self._client is not None:
            self._client.forget(realm)

    # -- challenges ----------------------------------------------------------------------------------------

    def challenged(self, draft: Draft, before: Authentication, response: Response) -> Authentication | None:
        """What to answer; None when we have no account, or it was refused (§22.1). One challenge that cannot
        be read is as good as absent.
        """
        if self._client is None:
            return None
        headers = response.headers
        www, proxy = headers.readable("WWW-Authenticate"), headers.readable("Proxy-Authenticate")
        taken = [self._taken.get(draft.uri, NOTHING), self._calls.get(draft.call_id, NOTHING)]
        answered = self._client.challenged(before, www, proxy, taken)
        if answered is None and self._learned:
            for challenge in (*www, *proxy):
                if challenge.realm in self._learned:
                    self._drop(challenge.realm)
        return answered

    def authorized(self, draft: Draft, answered: Authentication) -> Headers:
        """``draft``'s header fields with fresh credentials in place of old ones."""
        assert self._client is not None
        cnonce = self._identifiers.cnonce()
        credentials = self._client.credentials(answered, draft.method, draft.uri, draft.body, cnonce)
        return Headers(credentials).joined(draft.headers.without(*CREDENTIALS))
