"""Sessions that are over while their store is away: bounded in number and time. What that costs is told."""

from __future__ import annotations

import attrs
import pytest

from sipstack.core import forgetting
from sipstack.core.forgetting import GIVE_UP, SELDOM, Forgetting
from sipstack.core.outputs import DialogKey, Forget, Output, Warn
from sipstack.dialog.keeper import nothing
from sipstack.outcome import Outcome
from sipstack.transaction.deadlines import Timed
from tests.core.test_keeping import in_a_call


@attrs.define
class Desk:
    """A core that only forgets. Its store answers each question with ``outcome``."""

    outcome: Outcome = Outcome.FAILED
    now: float = 0.0
    asked: list[float] = attrs.field(factory=list)
    warnings: list[str] = attrs.field(factory=list)
    heard: list[tuple[str, Outcome, float]] = attrs.field(factory=list)
    _due: list[Forget] = attrs.field(factory=list)
    _timed: list[Timed] = attrs.field(factory=list)
    forgetting: Forgetting = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.forgetting = Forgetting(self)

    def output(self, output: Output) -> None:
        if isinstance(output, Warn):
            self.warnings.append(output.text)
        elif isinstance(output, Forget):
            self.asked.append(self.now)
            self._due.append(output)

    def schedule(self, item: Timed) -> None:
        if item not in self._timed:
            self._timed.append(item)

    def over(self, number: int, *, was_kept: bool = True, patience: float = 24.0) -> None:
        name = f"call {number}"

        def then(outcome: Outcome, now: float) -> None:
            self.heard.append((name, outcome, now))

        self.forgetting.begin(key(name), 0, then, patience, self.now, was_kept=was_kept)
        self._answer()

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._timed:
            item = min(self._timed, key=lambda each: each.deadline)
            if item.deadline > until:
                break
            self.now = item.deadline
            item.timeout(self.now)
            self._answer()
        self.now = until

    def _answer(self) -> None:
        due, self._due = self._due, []
        for asked in due:
            self.forgetting.stored(asked, self.outcome, self.now)


def key(name: str) -> DialogKey:
    return name, "ours", "theirs"


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for two."""
    monkeypatch.setattr(forgetting, "MOST", 2)


@pytest.mark.usefixtures("two")
def test_beyond_the_bound_the_store_is_not_asked_and_who_waits_hears_it_at_once() -> None:
    desk = Desk()
    for number in range(3):
        desk.over(number)
    assert desk.heard == [("call 2", Outcome.FAILED, 0.0)]
    assert (len(desk.asked), len(desk.forgetting), desk.forgetting.given_up) == (2, 2, 1)


@pytest.mark.usefixtures("two")
def test_what_is_given_up_is_told_once_a_minute_with_its_number() -> None:
    desk = Desk()
    for number in range(5):
        desk.over(number)
    assert len(desk.warnings) == 1
    assert desk.warnings[0].startswith("1 calls are over and their store could not be told, now call 2:")
    desk.run(60)
    desk.over(5)
    assert len(desk.warnings) == 2
    assert desk.warnings[1].startswith("4 calls are over")


@pytest.mark.usefixtures("two")
def test_calls_that_the_store_never_confirmed_leave_room_for_those_that_it_has() -> None:
    desk = Desk()
    desk.over(0, was_kept=False)
    desk.over(1, was_kept=False)
    desk.over(2)
    assert [name for name, _, _ in desk.heard] == ["call 1"]
    assert key("call 2") in desk.forgetting


@pytest.mark.usefixtures("two")
def test_one_that_is_being_forgotten_takes_no_second_place() -> None:
    desk = Desk()
    desk.over(0)
    desk.over(1)
    desk.over(1)
    assert desk.heard == []
    desk.outcome = Outcome.DONE
    desk.run(2)
    assert desk.heard == [
        ("call 0", Outcome.DONE, 2.0),
        ("call 1", Outcome.DONE, 2.0),
        ("call 1", Outcome.DONE, 2.0),
    ]
    desk.over(2)  # there is room again
    assert desk.heard[-1] == ("call 2", Outcome.DONE, 2.0)
    assert (len(desk.forgetting), desk.warnings) == (0, [])


def test_once_nobody_waits_it_is_tried_less_and_less_often() -> None:
    desk = Desk()
    desk.over(0, patience=10.0)
    desk.run(GIVE_UP / 2)
    waits = [later - earlier for earlier, later in zip(desk.asked, desk.asked[1:], strict=False)]
    assert set(waits[:5]) == {2.0}
    assert waits[5:] == sorted(waits[5:])
    assert waits[-1] == SELDOM
    assert desk.heard == [("call 0", Outcome.FAILED, 10.0)]


def test_after_ten_minutes_it_is_given_up_and_told() -> None:
    desk = Desk()
    desk.over(0)
    desk.run(GIVE_UP + SELDOM)
    assert (len(desk.forgetting), desk.forgetting.given_up) == (0, 1)
    assert "call 0" in desk.warnings[0]
    asked = len(desk.asked)
    desk.run(GIVE_UP)
    assert len(desk.asked) == asked


def test_a_store_that_says_nothing_is_asked_again_and_given_up_as_well() -> None:
    desk = Desk()
    desk.forgetting.begin(key("mute"), 0, nothing, 0.0, 0.0, was_kept=True)  # nobody answers it
    desk._due.clear()
    desk.outcome = Outcome.DONE
    desk.run(4)
    assert (len(desk.asked), len(desk.forgetting)) == (1, 1)
    desk.run(2)
    assert (len(desk.asked), len(desk.forgetting)) == (2, 0)


# -- with peers --------------------------------------------------------------------------------------------


def test_a_bye_for_which_there_is_no_room_is_put_off_and_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the store by then is no call that somebody could go on with: it is loaded for its BYE."""
    monkeypatch.setattr(forgetting, "MOST", 0)
    world, store, bob, carol = in_a_call()
    store.down, accepted = True, carol.response
    carol.send(bob.address, carol.inside(accepted, "BYE", 2))
    world.run(0.1)
    assert (carol.response.status, carol.response.headers.raw("Retry-After")) == (503, ("10",))
    store.down = False
    monkeypatch.setattr(forgetting, "MOST", 2)
    carol.send(bob.address, carol.inside(accepted, "BYE", 3))
    world.run(0.1)
    assert (carol.response.status, carol.response.cseq.number) == (200, 3)
    world.settle()
    assert (bob.leftovers, store.sessions) == ([], [])


def test_our_bye_goes_out_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "MOST", 0)
    world, store, bob, carol = in_a_call()
    store.down = True
    bob.hang_up()
    world.run(0.1)
    assert carol.request.method == "BYE"
    assert len(store.sessions) == 1  # that is the price
