"""What a request of ours does when it is challenged (RFC 3261 §22): it goes out again with credentials, or
waits while somebody is asked for them.
"""

from __future__ import annotations

import attrs

from sipstack.core.authenticator import Authenticator
from sipstack.core.credentials import CredentialsNeeded, CredentialsQuestion, CredentialsUnwanted
from sipstack.core.outputs import Warn
from sipstack.core.routed_request import RequestContext, RoutedRequest
from sipstack.dialog.draft import Draft
from sipstack.dialog.usages import DialogUsages
from sipstack.message import Response
from sipstack.message.digest import NOTHING, DigestAccount

RSPAUTH = "its rspauth is wrong"
WITHHELD = "it gets none, for the account does not name it (see credentials_to and credentials_to_callers)"


class ChallengedRequest(RoutedRequest):
    """A request, and the challenges that it answers."""

    __slots__ = ("_asked", "_authentication", "_authenticator", "_declined")

    def __init__(
        self, core: RequestContext, draft: Draft, usages: DialogUsages | None, authenticator: Authenticator
    ) -> None:
        super().__init__(core, draft, usages)
        self._authenticator = authenticator
        self._authentication = authenticator.accepted(draft)
        self._asked: Response | None = None  # the challenge for which credentials are being asked
        self._declined: frozenset[str] = frozenset()  # the realms that were asked for
        if self._authentication is not NOTHING:
            self.draft = self._authorized(draft)

    def _authorized(self, draft: Draft) -> Draft:
        """``draft`` with fresh credentials for all that it answers."""
        if self._authentication is NOTHING:
            return draft
        return attrs.evolve(draft, headers=self._authenticator.authorized(draft, self._authentication))

    def _challenged(self, response: Response, now: float) -> bool:
        """Whether the challenge is dealt with: the request goes out again, or somebody is asked for the
        credentials of a realm first.
        """
        authenticator = self._authenticator
        unknown = authenticator.unknown(response) if authenticator.asker is not None else ()
        realm = next((realm for realm in unknown if realm not in self._declined), None)
        if realm is None:
            return self._authenticate(response, now)
        self._asked = response
        draft, core = self.draft, self._core
        question = CredentialsQuestion(realm, draft.uri, draft.method, response.status == 407)
        core.emit(CredentialsNeeded(question, self, authenticator.asker, core.credentials_user))
        return True

    def supply(self, realm: str, account: DigestAccount | None, now: float) -> None:
        """See ``Challenged``."""
        response, self._asked = self._asked, None
        if response is None:
            return
        if account is not None:
            self._authenticator.learn(account)
        self._declined |= {realm}
        if not self._challenged(response, now):
            self._tell(response, now)

    def _authenticate(self, response: Response, now: float) -> bool:
        """Send the request again with credentials (§22.2): same Call-ID and From, next CSeq."""
        if self.draft.identity.withheld:
            self._core.outputs.append(Warn(f"{self.draft.next_hop} asks for credentials: {WITHHELD}"))
        answered = self._authenticator.challenged(self.draft, self._authentication, response)
        if answered is None:
            return False
        self._authentication = answered
        usages = self._usages
        cseq = self.draft.cseq + 1 if usages is None else usages.dialog.next_cseq()
        self.draft = attrs.evolve(self._authorized(self.draft), cseq=cseq)
        self._go_again(now)
        return True

    def _conclude(self, response: Response) -> None:
        """The final response to what carried credentials."""
        if not self._authenticator.concluded(self.draft, self._authentication, response):
            what = f"the {response.status} to {self.draft.method}"
            self._core.outputs.append(Warn(f"{what} is not of one who knows our password: {RSPAUTH}"))

    def _wait_no_longer(self, now: float) -> None:
        """The request is given up: the challenge is its answer."""
        challenge, self._asked = self._asked, None
        if challenge is not None:
            self._core.emit(CredentialsUnwanted(self, self._core.credentials_user))
            self._tell(challenge, now)

    def _go_again(self, now: float) -> None:
        """Send the draft over the flow that it took before."""
        raise NotImplementedError

    def _tell(self, response: Response, now: float) -> None:
        """A response that the user is to have."""
        raise NotImplementedError
