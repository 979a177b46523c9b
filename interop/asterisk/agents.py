"""The user agents of the tests: ours, with the accounts that Asterisk has for them (etc/pjsip.conf)."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from interop.asterisk.server import Asterisk
from sipstack import SessionTimer, TracedMessage, UserAgent

RFC8760 = {"SHA-256": "sha256", "SHA-512-256": "sha512", "three challenges": "every"}
ACCOUNTS = {"MD5": "alice", **RFC8760}
"""Endpoints that ask for a digest, one for each algorithm, and one that offers them all."""

DEFAULT_TIMER = SessionTimer()


@attrs.frozen
class AgentFactory:
    """Makes a user agent with the account of an endpoint; ``open`` is the one that needs no password."""

    asterisk: Asterisk

    def __call__(
        self,
        name: str = "open",
        *,
        password: str = "secret",
        trace: Callable[[TracedMessage], None] | None = None,
        reliable: bool | None = None,
        tcp: bool = False,
        session_timer: SessionTimer | None = DEFAULT_TIMER,
    ) -> UserAgent:
        if name in RFC8760.values() and not self.asterisk.installation.knows_sha256:
            pytest.skip(f"{self.asterisk.installation} knows MD5 only")
        aor = f"sip:{name}@{self.asterisk.host}:{self.asterisk.port}"
        return UserAgent(
            aor,
            password=password,
            registrar=f"sip:{self.asterisk.host}:{self.asterisk.port}",
            listen=[f"{each}:{self.asterisk.host}:0" for each in (("udp", "tcp") if tcp else ("udp",))],
            trace=trace,
            reliable=reliable,
            session_timer=session_timer,
        )
