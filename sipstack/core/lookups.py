"""The look-ups under way: each query is asked once at a time, whoever waits, and its answer is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from sipstack.core.dns_cache import DnsCache
from sipstack.core.dns_records import Answer, Query
from sipstack.core.outputs import Output, Question, Resolve, Target, Transport
from sipstack.core.resolution import Resolution
from sipstack.errors import ResolutionError
from sipstack.identifiers import Identifiers

MAXIMUM_QUESTIONS = 256
MAXIMUM_WAITING = 10_000
"""Routes that may wait for one look-up."""


class LookupUser(Protocol):
    """Waits for the targets of a question."""

    def resolved(self, targets: Sequence[Target], now: float, reason: str = "") -> None:
        """Without targets, ``reason`` says why there are none."""


class Lookups:
    """What is being looked up, and who waits for it."""

    __slots__ = ("_asked", "_identifiers", "_outputs", "_users", "_walks", "cache")

    def __init__(self, outputs: deque[Output], identifiers: Identifiers) -> None:
        self.cache = DnsCache()
        self._outputs = outputs
        self._identifiers = identifiers
        self._walks: dict[Question, Resolution] = {}
        self._users: dict[Question, list[LookupUser]] = {}
        self._asked: dict[Query, list[Question]] = {}

    def resolve(
        self, question: Question, transports: Mapping[str, Transport], user: LookupUser, now: float
    ) -> None:
        """Find the targets; one look-up serves all that want it at a time."""
        users = self._users.get(question)
        if users is not None:
            if len(users) < MAXIMUM_WAITING:
                users.append(user)
            else:
                user.resolved((), now, "too many requests wait for this name")
        elif len(self._users) >= MAXIMUM_QUESTIONS:
            user.resolved((), now, "too many names are being looked up; try again later")
        else:
            self._users[question] = [user]
            self._walks[question] = Resolution(question, transports, self._identifiers)
            self._go_on(question, now)

    def resolved(self, query: Query, answer: Answer, now: float) -> None:
        """The answer to a Resolve."""
        self.cache.put(query, answer, now)
        for question in self._asked.pop(query, ()):
            walk = self._walks.get(question)
            if walk is not None:
                walk.tell(query, answer)
                self._go_on(question, now)

    def found(self, question: Question, targets: Sequence[Target], now: float, reason: str = "") -> None:
        """The look-up is over."""
        self._walks.pop(question, None)
        for user in self._users.pop(question, ()):
            user.resolved(targets, now, reason)

    def waiting(self) -> list[LookupUser]:
        return [user for users in self._users.values() for user in users]

    def _go_on(self, question: Question, now: float) -> None:
        """Take what is known, ask for the rest."""
        walk = self._walks[question]
        while missing := walk.missing():
            told = False
            for query in missing:
                known = self.cache.get(query, now)
                if known is not None:
                    walk.tell(query, known)
                    told = True
                else:
                    self._ask(query, question)
            if not told:
                return
        try:
            targets, reason = walk.targets(), ""
        except ResolutionError as error:
            targets, reason = [], str(error)
        self.found(question, targets, now, reason)

    def _ask(self, query: Query, question: Question) -> None:
        questions = self._asked.get(query)
        if questions is None:
            self._asked[query] = [question]
            self._outputs.append(Resolve(query))
        elif question not in questions:
            questions.append(question)
