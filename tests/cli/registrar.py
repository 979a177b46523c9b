"""A registrar on a port of this machine, for commands that run as they do for users."""

from __future__ import annotations

from sipstack.testing.loopback import Loopback
from sipstack.testing.registrar import Challenger, ScriptedRegistrar


def registrar_here(*, status: int = 200, password: str | None = None) -> ScriptedRegistrar:
    """It answers every request with ``status``; with a ``password`` it challenges first."""
    registrar = ScriptedRegistrar(Loopback(), Challenger(password) if password else None)
    registrar.status = status
    return registrar
