"""The pytest plugin, in pytest runs of its own: what users get, and what it leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import sipstack

PROJECT = Path(sipstack.__file__).parents[1]
PYTEST_ASYNCIO = ("-p", "pytest_asyncio.plugin")
OURS = ("-p", "sipstack.testing.plugin")


class Project:
    """Somebody's tests, run in a process of their own, with only the plugins that they name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(textwrap.dedent(text), encoding="utf-8")

    def configure(self, **settings: str) -> None:
        lines = ["[pytest]", "addopts = --strict-markers", *(f"{key} = {settings[key]}" for key in settings)]
        self.write("pytest.ini", "\n".join(lines))

    def pytest(self, *arguments: str) -> tuple[int, str]:
        """The exit code and the output; warnings are errors."""
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-W", "error", "-m", "pytest", "-rA", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.configure(asyncio_mode="auto", asyncio_default_fixture_loop_scope="function")
    return project


def outcomes(output: str) -> list[str]:
    """The lines of the short summary: ``PASSED test_x.py::test_y``."""
    return sorted(
        line.split(" - ")[0] for line in output.splitlines() if line.startswith(("PASSED", "FAILED", "ERROR"))
    )


# --- unhappy ---


def test_without_pytest_asyncio_a_test_in_virtual_time_says_what_it_needs(project: Project) -> None:
    project.configure()
    project.write(
        "test_it.py",
        """
        import pytest

        @pytest.mark.virtual_time
        async def test_a_call():
            pass
        """,
    )
    code, output = project.pytest(*OURS)
    assert code == pytest.ExitCode.INTERRUPTED
    assert "virtual time needs pytest-asyncio 1.4 or later" in output


def test_without_pytest_asyncio_all_other_tests_run(project: Project) -> None:
    project.configure()
    project.write(
        "test_it.py",
        """
        import pytest

        @pytest.mark.virtual_time
        def test_marked_in_vain():
            pass

        def test_plain():
            pass
        """,
    )
    code, output = project.pytest(*OURS)
    assert outcomes(output) == ["PASSED test_it.py::test_marked_in_vain", "PASSED test_it.py::test_plain"]
    assert code == 0


def test_a_test_that_waits_in_vain_fails_and_says_where(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import asyncio
        import pytest

        @pytest.mark.virtual_time
        async def test_a_call():
            await asyncio.Event().wait()

        @pytest.mark.virtual_time
        async def test_the_next():
            await asyncio.sleep(1)
        """,
    )
    code, output = project.pytest(*PYTEST_ASYNCIO, *OURS)
    assert outcomes(output) == ["FAILED test_it.py::test_a_call", "PASSED test_it.py::test_the_next"]
    assert "LoopStuck: at 0.0 s of virtual time nothing is scheduled" in output
    assert "waits in test_a_call (" in output
    assert code == pytest.ExitCode.TESTS_FAILED


# --- who gets virtual time ---


def test_marks_and_fixtures_choose_the_loop_test_by_test(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import asyncio
        import pytest
        from hypothesis import given, strategies
        from sipstack.testing.loop import VirtualTimeLoop

        def virtual():
            return isinstance(asyncio.get_running_loop(), VirtualTimeLoop)

        @pytest.fixture
        async def started(virtual_time):
            await asyncio.sleep(1800)
            return asyncio.get_running_loop().time()

        async def test_plain():
            assert not virtual()

        @pytest.mark.virtual_time
        async def test_marked():
            assert virtual()
            await asyncio.sleep(3600)
            assert asyncio.get_running_loop().time() == 3600.0

        async def test_plain_again():
            assert not virtual()

        async def test_with_a_fixture_that_asks(started):
            assert virtual()
            assert started == asyncio.get_running_loop().time() == 1800.0

        @pytest.mark.virtual_time
        class TestClass:
            @pytest.mark.parametrize("seed", range(2))
            async def test_method(self, seed):
                assert virtual()
                assert asyncio.get_running_loop().time() == 0.0

        @pytest.mark.virtual_time
        @given(strategies.integers())
        async def test_hypothesis(number):
            assert virtual()
        """,
    )
    code, output = project.pytest(*PYTEST_ASYNCIO, *OURS)
    assert outcomes(output) == [
        "PASSED test_it.py::TestClass::test_method[0]",
        "PASSED test_it.py::TestClass::test_method[1]",
        "PASSED test_it.py::test_hypothesis",
        "PASSED test_it.py::test_marked",
        "PASSED test_it.py::test_plain",
        "PASSED test_it.py::test_plain_again",
        "PASSED test_it.py::test_with_a_fixture_that_asks",
    ]
    assert code == 0


def test_who_uses_the_world_is_in_virtual_time(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import asyncio
        from sipstack.testing.world import World

        async def test_an_hour_in_the_world(sip_world):
            assert type(sip_world) is World
            await asyncio.sleep(3600)
            assert asyncio.get_running_loop().time() == 3600.0
            assert sip_world.leftovers == []
        """,
    )
    code, output = project.pytest(*PYTEST_ASYNCIO, *OURS)
    assert (outcomes(output), code) == (["PASSED test_it.py::test_an_hour_in_the_world"], 0)


def test_a_whole_module_can_be_marked_also_in_strict_mode(project: Project) -> None:
    project.configure(asyncio_mode="strict", asyncio_default_fixture_loop_scope="function")
    project.write(
        "test_it.py",
        """
        import asyncio
        import pytest

        pytestmark = [pytest.mark.asyncio, pytest.mark.virtual_time]

        async def test_an_hour():
            await asyncio.sleep(3600)
            assert asyncio.get_running_loop().time() == 3600.0
        """,
    )
    code, output = project.pytest(*PYTEST_ASYNCIO, *OURS)
    assert (outcomes(output), code) == (["PASSED test_it.py::test_an_hour"], 0)


def test_a_project_that_chooses_its_own_loops_keeps_them(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import asyncio

        class TheirLoop(asyncio.SelectorEventLoop):
            pass

        def pytest_asyncio_loop_factories(config, item):
            return {"theirs": TheirLoop}
        """,
    )
    project.write(
        "test_it.py",
        """
        import asyncio
        import pytest

        async def test_theirs():
            assert type(asyncio.get_running_loop()).__name__ == "TheirLoop"

        @pytest.mark.virtual_time
        async def test_ours():
            assert type(asyncio.get_running_loop()).__name__ == "VirtualTimeLoop"
        """,
    )
    code, output = project.pytest(*PYTEST_ASYNCIO, *OURS)
    assert (outcomes(output), code) == (["PASSED test_it.py::test_ours", "PASSED test_it.py::test_theirs"], 0)


# --- what it costs those who do not use it ---


def test_loading_the_plugin_imports_next_to_nothing() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules);"
        "import sipstack.testing.plugin; print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout.strip() == "['sipstack', 'sipstack.testing', 'sipstack.testing.plugin']", done.stderr


# --- a project without any setting ---


@pytest.mark.parametrize("mode", [{}, {"asyncio_mode": "strict"}, {"asyncio_mode": "auto"}], ids=str)
def test_no_setting_is_needed(project: Project, mode: dict[str, str]) -> None:
    if mode:
        project.configure(**mode)
    else:
        (project.folder / "pytest.ini").unlink()
    project.write(
        "test_it.py",
        """
        import asyncio
        import pytest
        from hypothesis import given, settings, strategies
        from sipstack.testing import World

        @pytest.mark.virtual_time
        @pytest.mark.parametrize("seed", range(2))
        async def test_marked(seed):
            await asyncio.sleep(3600)
            assert asyncio.get_running_loop().time() == 3600.0

        async def test_with_the_fixture(sip_world):
            await asyncio.sleep(3600)
            assert asyncio.get_running_loop().time() == 3600.0

        @pytest.mark.virtual_time
        class TestClass:
            async def test_method(self):
                await asyncio.sleep(3600)

            def test_plain_method(self):
                pass

        @pytest.mark.virtual_time
        @settings(max_examples=3)
        @given(strategies.integers())
        async def test_hypothesis(number):
            await asyncio.sleep(3600)

        def test_plain():
            pass
        """,
    )
    code, output = project.pytest(*PYTEST_ASYNCIO, *OURS, "-W", "default::pytest.PytestDeprecationWarning")
    assert outcomes(output) == [
        "PASSED test_it.py::TestClass::test_method",
        "PASSED test_it.py::TestClass::test_plain_method",
        "PASSED test_it.py::test_hypothesis",
        "PASSED test_it.py::test_marked[0]",
        "PASSED test_it.py::test_marked[1]",
        "PASSED test_it.py::test_plain",
        "PASSED test_it.py::test_with_the_fixture",
    ]
    assert code == 0
