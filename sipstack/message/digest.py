"""Digest authentication for SIP (RFC 3261 §22, RFC 7616, RFC 8760): the client."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import attrs

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.message.auth import AuthenticationInfo, Challenge, Credentials
from sipstack.message.hashing import Algorithm as Algorithm
from sipstack.message.hashing import DigestInput as DigestInput
from sipstack.message.hashing import Ha1, as_password
from sipstack.message.hashing import ha1 as ha1
from sipstack.message.secret import Secret

MAX_TRIES = 4
"""Answers to one realm in one request: after these, a server that calls every nonce stale has refused us."""
MAX_NONCES = 64
"""Nonces of which a client keeps the count."""
MAX_REALMS = 8
"""Realms that one request answers, of either kind: no path of proxies has more."""
MAX_GENERAL = {"www": 1, "proxy": 2}
"""Of these, those that an account without a realm answers: whoever challenges chooses the realm's text, and
each answer is one more to guess the password from."""


@attrs.frozen
class DigestAccount:
    """Our name and password, for one realm or (None) for every realm that has no account of its own. An
    ``Ha1`` in place of the password answers with its own algorithm, and is for one realm.
    """

    username: str
    password: Secret | Ha1 = attrs.field(repr=False, converter=as_password)
    realm: str | None = None
    weakest: str = "MD5"
    """The weakest algorithm that it answers with."""

    def __attrs_post_init__(self) -> None:
        if self.realm is None and isinstance(self.password, Ha1):
            raise LocalProtocolError("an Ha1 is for one realm: give it in credentials=, under that realm")

    def ha1(self, realm: str, algorithm: Algorithm) -> str:
        """H(username:realm:password)."""
        password = self.password
        if isinstance(password, Ha1):
            return password.secret.reveal()
        return algorithm.hash(f"{self.username}:{realm}:{password.reveal()}")

    def allows(self, challenge: Challenge) -> bool:
        """Whether it may answer with the algorithm of ``challenge``."""
        floor, asked = Algorithm.find(self.weakest), Algorithm.find(challenge.algorithm)
        if floor is None or asked is None or asked.strength < floor.strength:
            return False
        return not isinstance(self.password, Ha1) or self.password.family == asked.family


def select_challenge(challenges: Sequence[Challenge]) -> Challenge | None:
    """The strongest that we can answer; of equal ones the first. None when there is none.

    RFC 8760 §2.4 prefers the topmost "unless a local policy dictates otherwise": ours does.
    """
    usable = [challenge for challenge in challenges if _is_usable(challenge)]
    return max(usable, key=_strength, default=None)


def _is_usable(challenge: Challenge) -> bool:
    algorithm = Algorithm.find(challenge.algorithm)
    if not challenge.is_digest or "realm" not in challenge.parameters or not challenge.nonce:
        return False
    if algorithm is None or (algorithm.session and not challenge.qop):
        return False  # a session needs the cnonce, which goes with a qop only
    return not challenge.qop or _select_qop(challenge) != ""


Strength = tuple[int, bool]
WEAKEST: Strength = (-1, False)


def _strength(challenge: Challenge) -> Strength:
    """By algorithm, then by qop: what has one cannot be answered from a table made before (RFC 7616 §5.5)."""
    algorithm = Algorithm.find(challenge.algorithm)
    return (algorithm.strength if algorithm is not None else -1, bool(challenge.qop))


def _select_qop(challenge: Challenge) -> str:
    """auth before auth-int: proxies on the way may change the body (RFC 3261 §22.4 leaves the choice)."""
    return next((qop for qop in ("auth", "auth-int") if qop in challenge.qop), "")


@attrs.frozen
class Answered:
    """A challenge that a request answers. ``tries`` counts the request's answers to this realm."""

    challenge: Challenge
    tries: int = 0


@attrs.frozen
class Authentication:
    """The challenges that one request answers: one of each realm, from the UAS or registrar and from proxies.

    Starts empty, or for pre-emptive credentials as ``untried()`` of an earlier request.
    """

    www: tuple[Answered, ...] = ()
    proxy: tuple[Answered, ...] = ()

    def untried(self) -> Authentication:
        """For the next request: the same challenges, not yet tried."""
        return Authentication(
            tuple([attrs.evolve(each, tries=0) for each in self.www]),
            tuple([attrs.evolve(each, tries=0) for each in self.proxy]),
        )

    def next_nonce(self, nonce: str) -> Authentication:
        """Authentication-Info gave a new nonce (RFC 7616 §3.5). It names no realm: a sole one takes it."""
        if len(self.www) != 1:
            return self
        challenge = self.www[0].challenge
        parameters = challenge.parameters.with_text("nonce", nonce)
        renewed = attrs.evolve(challenge, parameters=parameters)
        return attrs.evolve(self, www=(attrs.evolve(self.www[0], challenge=renewed),))


NOTHING = Authentication()


class DigestClient:
    """Answers challenges with our accounts, and counts how often each nonce is used."""

    __slots__ = ("_accounts", "_uses")

    def __init__(self, *accounts: DigestAccount) -> None:
        self._accounts = accounts
        self._uses: OrderedDict[tuple[str, str], tuple[int, str]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<DigestClient {[account.username for account in self._accounts]}>"

    def learn(self, account: DigestAccount) -> None:
        """One more account, in place of what it had for that realm."""
        self.forget(account.realm)
        self._accounts = (*self._accounts, account)

    def forget(self, realm: str | None) -> None:
        """The account of ``realm`` is good for nothing."""
        self._accounts = tuple(account for account in self._accounts if account.realm != realm)

    def unknown(self, challenges: Sequence[Challenge]) -> list[str]:
        """The realms that could be answered, and that no account is for."""
        usable = [challenge.realm for challenge in challenges if _is_usable(challenge)]
        return [realm for realm in dict.fromkeys(usable) if self._account(realm) is None]

    def challenged(
        self,
        before: Authentication,
        www: Sequence[Challenge],
        proxy: Sequence[Challenge],
        taken: Sequence[Authentication] = (),
    ) -> Authentication | None:
        """The challenges to answer after a 401 or 407 with these WWW- and Proxy-Authenticate fields.

        ``before`` is what the refused request answered, ``taken`` what the same server has accepted some time
        ago. None means that authentication failed: a realm refuses what we gave (RFC 3261 §22.1), or asks
        for something weaker than before, or there is no challenge that we can answer.
        """
        floors: dict[str, Strength] = {}
        for answers in (before, *taken):
            for each in (*answers.www, *answers.proxy):
                realm = each.challenge.realm
                floors[realm] = max(_strength(each.challenge), floors.get(realm, WEAKEST))
        answered_www = self._merge(before.www, www, floors, MAX_GENERAL["www"])
        answered_proxy = self._merge(before.proxy, proxy, floors, MAX_GENERAL["proxy"])
        if answered_www is None or answered_proxy is None:
            return None
        after = Authentication(answered_www, answered_proxy)
        return after if after != before else None

    def credentials(
        self, answered: Authentication, method: str, uri: str, body: bytes, cnonce: str
    ) -> list[tuple[str, Credentials]]:
        """The header fields for a request: one Authorization or Proxy-Authorization a realm."""
        fields = ("Authorization", answered.www), ("Proxy-Authorization", answered.proxy)
        return [
            (name, self.authorize(each.challenge, method, uri, body, cnonce))
            for name, answers in fields
            for each in answers
        ]

    def authorize(self, challenge: Challenge, method: str, uri: str, body: bytes, cnonce: str) -> Credentials:
        """The answer to one challenge. ``uri`` is the Request-URI as sent, ``cnonce`` a new random text.

        Raises LocalProtocolError for a challenge that ``select_challenge`` would not select, and for a realm
        of which we have no account.
        """
        account = self._account(challenge.realm)
        algorithm = Algorithm.find(challenge.algorithm)
        if account is None or algorithm is None or not _is_usable(challenge):
            raise LocalProtocolError(f"cannot answer the challenge of {challenge.realm!r}")
        qop = _select_qop(challenge)
        count, cnonce = self._use(challenge, algorithm, cnonce)
        secret = account.ha1(challenge.realm, algorithm)
        hashed = DigestInput(challenge.nonce, method, uri, body, qop, f"{count:08x}", cnonce)
        return Credentials.digest(
            username=account.username,
            realm=challenge.realm,
            nonce=challenge.nonce,
            uri=uri,
            response=hashed.response(algorithm, secret),
            algorithm=challenge.text("algorithm"),
            cnonce=cnonce if qop else None,
            opaque=challenge.opaque,
            qop=qop or None,
            nc=count if qop else None,
        )

    def is_proof(self, info: AuthenticationInfo, given: Credentials, body: bytes) -> bool:
        """Whether the ``rspauth`` of a response with this ``body`` shows that its sender knows the password,
        as ``given`` showed that we do (RFC 7616 §3.5). True where there is none to look at.
        """
        account, algorithm = self._account(given.realm), Algorithm.find(given.algorithm)
        if info.rspauth is None or account is None or algorithm is None:
            return True
        try:
            count = "" if given.nc is None else f"{given.nc:08x}"
        except ParseError:
            return False
        qop = given.qop or ""
        hashed = DigestInput(given.nonce, "", given.uri, body, qop, count, given.cnonce or "")
        return hashed.response(algorithm, account.ha1(given.realm, algorithm)) == info.rspauth.lower()

    def _account(self, realm: str) -> DigestAccount | None:
        by_realm = {account.realm: account for account in reversed(self._accounts)}
        return by_realm.get(realm) or by_realm.get(None)

    def _use(self, challenge: Challenge, algorithm: Algorithm, cnonce: str) -> tuple[int, str]:
        """The nonce count, and the cnonce: a session keeps its first (RFC 7616 §3.4.2)."""
        key = challenge.realm, challenge.nonce
        count, first = self._uses.get(key, (0, cnonce))
        self._uses[key] = count + 1, first
        self._uses.move_to_end(key)
        if len(self._uses) > MAX_NONCES:
            self._uses.popitem(last=False)
        return count + 1, first if algorithm.session else cnonce

    def _merge(
        self,
        before: tuple[Answered, ...],
        challenges: Sequence[Challenge],
        floors: Mapping[str, Strength],
        general: int,
    ) -> tuple[Answered, ...] | None:
        """The new challenges in place of the old ones of their realms; None when a realm refused us.
        ``general`` is how many realms may get the account that has none of its own.
        """
        answers = {each.challenge.realm: each for each in before}
        for realm, offers in _by_realm(challenges).items():
            account = self._account(realm)
            if account is None:
                continue
            challenge = select_challenge([offer for offer in offers if account.allows(offer)])
            old = answers.get(realm)
            if challenge is None or (
                old is None and account.realm is None and self._general(answers) >= general
            ):
                continue
            if _strength(challenge) < floors.get(realm, WEAKEST) or (old and _is_refusal(old, challenge)):
                return None
            answers[realm] = Answered(challenge, old.tries + 1 if old is not None else 1)
        return tuple(answers.values())[:MAX_REALMS]

    def _general(self, realms: Iterable[str]) -> int:
        """How many of ``realms`` have no account of their own."""
        accounts = [self._account(realm) for realm in realms]
        return sum(account is not None and account.realm is None for account in accounts)


def _by_realm(challenges: Sequence[Challenge]) -> dict[str, list[Challenge]]:
    offers: dict[str, list[Challenge]] = {}
    for challenge in challenges:
        offers.setdefault(challenge.realm, []).append(challenge)
    return offers


def _is_refusal(old: Answered, challenge: Challenge) -> bool:
    """Whether the realm refuses our credentials, rather than the nonce that they were made for."""
    if challenge.nonce == old.challenge.nonce or old.tries >= MAX_TRIES:
        return True
    # A nonce of an earlier request may be so old that the server does not recognise it, nor say stale.
    return old.tries > 0 and not challenge.stale
