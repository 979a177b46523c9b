"""Certificates (RFC 5922): whom we refuse, and who refuses us."""

from __future__ import annotations

import pytest

from interop.asterisk.server import Asterisk
from interop.asterisk.wires import Wire
from sipstack import Tls, TransportError

TLS = Wire("tls4")
pytestmark = pytest.mark.usefixtures("agent")  # nothing is left afterwards


def uri(port: int) -> str:
    return f"sip:echo@127.0.0.1:{port};transport=tls"


@pytest.mark.parametrize(
    ("port", "words"), [("wrong", "elsewhere.example.com"), ("expired", "expired"), ("tls", "127.0.0.1")]
)
async def test_a_bad_certificate_is_refused_with_the_reason(
    asterisk: Asterisk, port: str, words: str
) -> None:
    """The third is good: only its authority is not one of ours."""
    trust = Tls(authority=asterisk.folder / "stranger.crt" if port == "tls" else asterisk.authority)
    async with TLS.agent(asterisk, tls=trust) as ua:
        with pytest.raises(TransportError, match=words):
            await ua.options(uri(getattr(asterisk.ports, port)))


@pytest.mark.parametrize("port", ["wrong", "expired"])
async def test_who_does_not_verify_takes_them(asterisk: Asterisk, port: str) -> None:
    async with TLS.agent(asterisk, tls=Tls(verify=False)) as ua:
        assert (await ua.options(uri(getattr(asterisk.ports, port)))).status == 200


async def test_mutual_tls(asterisk: Asterisk) -> None:
    """With the certificate that Asterisk wants, with none, and with one of a stranger's authority."""
    folder = asterisk.folder
    target = uri(asterisk.ports.mutual)

    def presenting(name: str) -> Tls:
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        return Tls(certificate=certificate, key=key, authority=asterisk.authority)

    async with TLS.agent(asterisk, tls=presenting("client")) as ua:
        assert (await ua.options(target)).status == 200
    for refused in (Tls(authority=asterisk.authority), presenting("stranger")):
        async with TLS.agent(asterisk, tls=refused) as ua:
            with pytest.raises(TransportError):
                await ua.options(target)
