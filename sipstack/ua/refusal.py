"""The error that a refusal of a request of ours stands for; of credentials, whose they were, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sipstack.errors import AuthenticationFailed, RequestFailed
from sipstack.message import Request, Response

Refused = TypeVar("Refused", bound=RequestFailed)


def refusal(
    response: Response,
    request: Request | None,
    otherwise: Callable[[Response], Refused],
    *,
    withheld: bool = False,
) -> Refused | AuthenticationFailed:
    """AuthenticationFailed for a 401 or 407, ``otherwise`` for any other. See ``authentication_failed``."""
    if response.status in (401, 407):
        return authentication_failed(response, request, withheld=withheld)
    return otherwise(response)


def authentication_failed(
    response: Response, request: Request | None, *, withheld: bool = False
) -> AuthenticationFailed:
    """For the 401 or 407 that ``request`` got in the end; ``withheld``: it was given no credentials, because
    the account does not name its peer.
    """
    error = AuthenticationFailed(response, withheld=withheld)
    if request is None:
        return error
    headers = request.headers
    given = (*headers.readable("Authorization"), *headers.readable("Proxy-Authorization"))
    names = [each.username for each in given if each.realm == error.realm]
    return AuthenticationFailed(response, names[0]) if names else error
