"""A call that takes the place of one which was kept beyond its process (RFC 3891)."""

from __future__ import annotations

import pytest

from sipstack import Call, Invitation
from tests.ua.handlers import Answering
from tests.ua.resumption import Resumption
from tests.ua.test_transfer import Following

pytestmark = pytest.mark.virtual_time


async def test_a_phone_that_was_started_again_is_found_by_an_attended_transfer() -> None:
    """Alice has called Bob, and Carol, and connects the two. Bob was killed meanwhile, and has not heard of
    the first call since: it comes out of the store when Carol's INVITE names it.
    """
    stage, following = Resumption(), Following()
    replaced: list[Call] = []

    async def answer(invitation: Invitation) -> None:
        assert isinstance(invitation.replaces, Call)
        replaced.append(invitation.replaces)
        async with invitation.accept() as call:
            await call.ended()

    async with stage.again() as (call, bob), bob.serving(answer):
        carol, alice = stage.world.user_agent("carol"), stage.alice
        assert alice is not None
        async with carol, carol.serving(Answering()), carol.serving_referrals(following):
            async with alice.call("sip:carol@carol.test") as other:
                assert bob.calls == []
                await other.transfer(call)
                end = await call.ended()
            assert end.by == "remote"
            assert str(following.calls[0].remote).startswith("sip:bob@")
            await following.calls[0].hang_up()
    (old,) = replaced
    assert old.resumed
    assert (await old.ended()).reason == "replaced by another call"
