"""The error of a request whose credentials were refused: whose they were, and by whom."""

from __future__ import annotations

from sipstack.errors import AuthenticationFailed
from sipstack.message import Request, Response


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
