"""A registrar of a few lines: one binding, one user, and whatever status a test wants."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from sipstack.message import Request, Response, parse
from sipstack.message.digest import ha1
from sipstack.message.digest_server import DigestServer, Verdict

REALM = "example.com"


class Registrar(asyncio.DatagramProtocol):
    """Answers every request with ``status``, on a loopback port. With a ``password`` it challenges first."""

    def __init__(self, *, status: int = 200, password: str | None = None) -> None:
        self.status = status
        self.requests: list[Request] = []
        self._password = password
        self._digest = DigestServer(REALM, b"a secret of the test", algorithms=("SHA-256",))

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()

    @property
    def uri(self) -> str:
        """Where it is reached."""
        return f"sip:127.0.0.1:{self._transport.get_extra_info('sockname')[1]}"

    @property
    def expirations(self) -> list[int]:
        """The lifetimes asked for, in order; 0 is an un-registration."""
        registers = (request for request in self.requests if request.method == "REGISTER")
        return [int(request.headers.get("Expires") or request.contacts[0].parameters.get("expires") or -1)
                for request in registers]  # fmt: skip

    def datagram_received(self, data: bytes, address: tuple[str | Any, int]) -> None:
        request = parse(data)
        assert isinstance(request, Request)
        self._transport.sendto(bytes(self._answer(request)), address)

    def _answer(self, request: Request) -> Response:
        if not self._is_authentic(request):
            challenges = self._digest.challenges(asyncio.get_running_loop().time())
            return request.response(401, to_tag="r", headers=[("WWW-Authenticate", c) for c in challenges])
        self.requests.append(request)
        contacts = [("Contact", contact) for contact in request.headers.raw("Contact")]
        expires = [("Expires", request.headers.get("Expires") or "600")]
        return request.response(self.status, to_tag="r", headers=contacts + expires)

    def _is_authentic(self, request: Request) -> bool:
        if self._password is None:
            return True
        password = self._password
        given = request.headers.typed("Authorization")
        now = asyncio.get_running_loop().time()
        return any(
            self._digest.check(
                credentials,
                request.method,
                request.body,
                lambda user, algorithm: ha1(user, REALM, password, algorithm),
                now,
            )
            is Verdict.OK
            for credentials in given or ()
        )
