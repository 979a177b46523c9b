"""Redis over TLS: ``rediss://``, with the options that redis-py reads from the URL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from interop.ports import HOST, free_port
from interop.redis.server import running
from sipstack.errors import StoreError
from sipstack.outcome import Outcome
from sipstack.store.redis import RedisStore
from sipstack.testing.certificates import CertificateAuthority
from tests.store.conformance import asked, put


@attrs.frozen
class Secured:
    """A Redis that takes TLS at ``port``, and the authority that signed its certificate."""

    port: int
    authority: Path

    def url(self, authority: Path) -> str:
        return f"rediss://:swordfish@{HOST}:{self.port}/0?ssl_ca_certs={authority}"


@pytest.fixture
def secured(_redis_is_there: None, tmp_path: Path) -> Iterator[Secured]:
    authority = CertificateAuthority()
    certificate, key = authority.issue(HOST).write(tmp_path, "redis")
    trusted, port = authority.write(tmp_path), free_port()
    files = (
        "--tls-cert-file",
        str(certificate),
        "--tls-key-file",
        str(key),
        "--tls-ca-cert-file",
        str(trusted),
    )
    with running("--tls-port", str(port), *files, "--tls-auth-clients", "no", password="swordfish"):
        yield Secured(port, trusted)


async def test_over_tls(secured: Secured) -> None:
    store = RedisStore(secured.url(secured.authority))
    await store.open("node-1")
    assert await put(store, "key", b"record") is Outcome.DONE
    assert (await asked(store.take_over, "key")).record == b"record"
    await store.close()


async def test_whom_another_authority_signed_is_not_told_the_password(
    secured: Secured, tmp_path: Path
) -> None:
    folder = tmp_path / "another"
    folder.mkdir()
    another = CertificateAuthority().write(folder)
    with pytest.raises(StoreError, match="certificate verify failed") as caught:
        await RedisStore(secured.url(another)).open("node-1")
    assert "swordfish" not in str(caught.value)
