"""A challenge that no account of ours can answer, while somebody who may know is asked: a vault, a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from sipstack.message.digest import DigestAccount


class Challenged(Protocol):
    """A request of ours that waits for credentials."""

    def supply(self, realm: str, account: DigestAccount | None, now: float) -> None:
        """The credentials for ``realm``; None for none: then the challenge is the answer to the request. Does
        nothing once the request is given up.
        """


@attrs.frozen
class CredentialsQuestion:
    """Who asks for credentials. ``realm`` is the text of whoever challenges, so it proves nothing; ``uri`` is
    where the request went, ``method`` what it is, and ``proxy`` whether a proxy on the way asks.
    """

    realm: str
    uri: str
    method: str
    proxy: bool


@attrs.frozen
class Asker:
    """Who is asked, in whatever way the user agent does that, and the weakest algorithm that is answered."""

    ask: Callable[..., Any]
    weakest: str = "MD5"


@attrs.frozen(eq=False)
class CredentialsNeeded:
    """A request waits for credentials: answer with ``request.supply``."""

    question: CredentialsQuestion
    request: Challenged
    asker: Asker
    receiver: Any


@attrs.frozen(eq=False)
class CredentialsUnwanted:
    """The request is given up: nobody waits for its credentials any more."""

    request: Challenged
    receiver: Any
