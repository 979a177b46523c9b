"""The unit costs of the capacity page can be measured: everything once, and much too little of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs
import pytest

from interop.bench.capacity import behind, measure, measure_redis
from interop.bench.capacity.command import main
from interop.bench.capacity.costs import STORES, Costs
from interop.kamailio.server import program
from interop.sipp.process import installed
from sipstack.message import Response, parse

MISSING = [
    name
    for name, there in (
        ("sipp", installed()),
        ("redis-server", shutil.which("redis-server") is not None),
        ("kamailio", program() is not None),
    )
    if not there
]
REQUEST = (
    b"%b sip:service@cluster.test SIP/2.0\r\nRecord-Route: <sip:127.0.0.1;lr>\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK2\r\n"
    b"From: <sip:a@127.0.0.2>;tag=a\r\nTo: <sip:service@cluster.test>\r\nCall-ID: 1\r\nCSeq: 1 %b\r\n"
    b"Contact: <sip:a@127.0.0.2>\r\nContent-Length: 0\r\n\r\n"
)


def test_what_is_behind_the_proxy_answers_through_it() -> None:
    (octets,) = behind.answer(REQUEST % (b"INVITE", b"INVITE"))
    response = parse(octets)
    assert isinstance(response, Response)
    assert (response.status, response.to.tag) == (200, "behind")
    assert len(response.vias) == 2
    assert response.headers.get("Record-Route") == "<sip:127.0.0.1;lr>"
    assert response.body
    assert behind.answer(REQUEST % (b"ACK", b"ACK")) == []


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_all_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, values in (
        (measure, {"SECONDS": 1.0, "TRIES": 1, "HELD": 200, "RATE": 100, "PROXY_RATE": 100}),
        (measure_redis, {"DIALOGS": 200, "ORPHANS": 1000, "LOOKS": 50, "LISTS": 5}),
    ):
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    path = tmp_path / "costs.toml"
    assert main(["--measure", str(path)]) == 0
    costs = Costs.read(path)
    assert set(costs.node.call) == set(STORES)
    assert min(costs.node.call.values()) > 50
    assert costs.node.octets["redis"] > 1000
    assert 300 < costs.redis.octets < 10_000
    assert 600 < costs.redis.sent < 10_000
    assert min(attrs.astuple(costs.proxy)) >= 0
    assert main(["--costs", str(path), "--nodes", "2"]) == 0
