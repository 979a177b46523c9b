"""``headers=``: a mapping, a list or any iterable of pairs."""

from __future__ import annotations

import pytest

from sipstack import IncomingRequest
from sipstack.testing.world import World
from sipstack.ua.arguments import HeadersArgument

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Trace": "abc", "X-Number": 7},
        [("X-Trace", "abc"), ("X-Number", 7)],
        (("X-Trace", "abc"), ("X-Number", 7)),
        iter([("X-Trace", "abc"), ("X-Number", 7)]),
    ],
    ids=["mapping", "list", "tuple", "iterator"],
)
async def test_headers_are_a_mapping_or_any_pairs(world: World, headers: HeadersArgument) -> None:
    heard: list[tuple[str, str | None, str | None]] = []

    async def take(request: IncomingRequest) -> None:
        fields = request.request.headers
        heard.append((request.method, fields.get("X-Trace"), fields.get("X-Number")))
        await request.respond(200)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(requests={"MESSAGE": take}):
            await alice.message("sip:bob@bob.test", "hello", headers=headers)
    assert heard == [("MESSAGE", "abc", "7")]


async def test_the_types_of_headers_are_those_of_common_programs(world: World) -> None:
    """For the type checker: a dictionary and a list of texts, as a program has them."""
    by_name: dict[str, str] = {"X-Trace": "abc"}
    pairs: list[tuple[str, str]] = [("X-Trace", "abc")]
    async with world.user_agent("alice") as alice:
        alice.call("sip:bob@bob.test", headers=by_name)
        alice.invite("sip:bob@bob.test", headers=pairs)
        alice.register(headers=by_name)
