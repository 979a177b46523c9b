"""The pytest plugin: tests in virtual time, and the ``sip_world`` fixture.

A coroutine test runs under ``sipstack.testing.loop.VirtualTimeLoop`` when it is marked
``@pytest.mark.virtual_time`` (a function, a class, or a module through ``pytestmark``), or when it uses the
fixture ``sip_world`` or ``virtual_time``, directly or through another fixture. All other tests are left
alone.

The coroutines are run by pytest-asyncio 1.4 or later, in either of its modes and without any setting: they
count as marked with ``@pytest.mark.asyncio``. (Coroutine fixtures of yours need its automatic mode, or
``@pytest_asyncio.fixture``.) Give such tests a loop of their own, which is the default
(``loop_scope="function"``): in a wider scope they share one clock.

pytest loads this file at every start where sipstack is installed, hence it imports the rest late.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Generator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sipstack.testing.loop import VirtualTimeLoop
    from sipstack.testing.world import World

_MARKER = "virtual_time: run this coroutine test in virtual time (sipstack.testing.loop)"
_HOOK = "pytest_asyncio_loop_factories"


@pytest.fixture
def virtual_time() -> None:
    """Lets a fixture ask for virtual time on behalf of the tests that use it."""


@pytest.fixture
def sip_world(virtual_time: None) -> World:
    """User agents on a network without faults; build a ``World`` yourself to give it a seed or a bad link."""
    from sipstack.testing.world import World

    return World()


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, None, None]:
    """Offers our loop while pytest-asyncio asks for the loops of a test in virtual time.

    pytest-asyncio takes any implementation of its hook as the answer for every test, and an empty answer as
    an error. So ours exists for this one question only, and no other test and no other plugin meets it.
    """
    if not _wants_virtual_time(metafunc.definition, metafunc.fixturenames):
        yield
        return
    plugins = metafunc.config.pluginmanager
    _count_as_asyncio(metafunc.definition)
    if not hasattr(plugins.hook, _HOOK) and inspect.iscoroutinefunction(metafunc.function):
        pytest.fail("virtual time needs pytest-asyncio 1.4 or later", pytrace=False)
    loops = _Loops()
    plugins.register(loops)
    try:
        yield
    finally:
        plugins.unregister(loops)


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_pycollect_makeitem() -> Generator[None, Any, None]:
    """Marks the tests in virtual time before pytest-asyncio, in its wrapper of this hook, looks for marks."""
    made = (yield).get_result()
    for item in made if isinstance(made, list) else [made]:
        if isinstance(item, pytest.Function) and _wants_virtual_time(item, item.fixturenames):
            _count_as_asyncio(item)


def _wants_virtual_time(item: pytest.Item, fixtures: Collection[str]) -> bool:
    return item.get_closest_marker("virtual_time") is not None or "virtual_time" in fixtures


def _count_as_asyncio(item: pytest.Function) -> None:
    """What ``asyncio_mode = auto`` does for every test."""
    has_pytest_asyncio = hasattr(item.config.pluginmanager.hook, _HOOK)
    if has_pytest_asyncio and item.get_closest_marker("asyncio") is None and _is_coroutine_test(item.obj):
        item.add_marker("asyncio")


def _is_coroutine_test(function: object) -> bool:
    of_hypothesis = getattr(getattr(function, "hypothesis", None), "inner_test", None)
    return inspect.iscoroutinefunction(of_hypothesis or function)


class _Loops:
    @pytest.hookimpl(tryfirst=True)
    def pytest_asyncio_loop_factories(self) -> Mapping[str, type[VirtualTimeLoop]]:
        from sipstack.testing.loop import VirtualTimeLoop

        return {"virtual_time": VirtualTimeLoop}
