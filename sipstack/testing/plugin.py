"""The pytest plugin: tests in virtual time, and the ``sip_world`` fixture.

A coroutine test runs under ``sipstack.testing.loop.VirtualTimeLoop`` when it is marked
``@pytest.mark.virtual_time`` (a function, a class, or a module through ``pytestmark``), or when it uses the
fixture ``sip_world`` or ``virtual_time``, directly or through another fixture. All other tests are left
alone.

The coroutines are run by pytest-asyncio 1.4 or later; in its strict mode a test needs
``@pytest.mark.asyncio`` as well. Give such tests a loop of their own, which is the default
(``loop_scope="function"``): in a wider scope they share one clock.

pytest loads this file at every start where sipstack is installed, hence it imports the rest late.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

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


@pytest.hookimpl(hookwrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, None, None]:
    """Offers our loop while pytest-asyncio asks for the loops of a test in virtual time.

    pytest-asyncio takes any implementation of its hook as the answer for every test, and an empty answer as
    an error. So ours exists for this one question only, and no other test and no other plugin meets it.
    """
    if not _wants_virtual_time(metafunc):
        yield
        return
    plugins = metafunc.config.pluginmanager
    if not hasattr(plugins.hook, _HOOK) and inspect.iscoroutinefunction(metafunc.function):
        pytest.fail("virtual time needs pytest-asyncio 1.4 or later", pytrace=False)
    loops = _Loops()
    plugins.register(loops)
    try:
        yield
    finally:
        plugins.unregister(loops)


def _wants_virtual_time(metafunc: pytest.Metafunc) -> bool:
    marked = metafunc.definition.get_closest_marker("virtual_time") is not None
    return marked or "virtual_time" in metafunc.fixturenames


class _Loops:
    @pytest.hookimpl(tryfirst=True)
    def pytest_asyncio_loop_factories(self) -> Mapping[str, type[VirtualTimeLoop]]:
        from sipstack.testing.loop import VirtualTimeLoop

        return {"virtual_time": VirtualTimeLoop}
