"""What `make setup` and `make demo` do before there is a .venv."""

from __future__ import annotations

import importlib.util
import ssl
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.demo import bootstrap


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """The programs that would have been run, in a .venv of the test's own."""
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    monkeypatch.setattr(bootstrap, "run", lambda *argv: ran.append(argv))
    return ran


def trust(monkeypatch: pytest.MonkeyPatch, cafile: str | None, capath: Path | None) -> None:
    paths = SimpleNamespace(cafile=cafile, capath=capath and str(capath))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)


def test_an_old_python_is_told_so(
    monkeypatch: pytest.MonkeyPatch, commands: list[tuple[str, ...]]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed; .* is 3\.9\.2"):
        bootstrap.make_venv()
    assert commands == []


def test_a_python_without_venv_is_told_which_package_brings_it(
    monkeypatch: pytest.MonkeyPatch, commands: list[tuple[str, ...]]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"apt-get install python3\.\d+-venv"):
        bootstrap.make_venv()
    assert commands == []


def test_packages_are_fetched_with_the_certificates_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, commands: list[tuple[str, ...]], tmp_path: Path
) -> None:
    store = tmp_path / "certs"
    store.mkdir()
    (store / "company.pem").write_text("-----BEGIN CERTIFICATE-----")
    trust(monkeypatch, None, store)
    bootstrap.sync("demo")
    assert "--system-certs" in commands[-1]
    assert "--require-hashes" in commands[-1]


def test_a_machine_without_certificates_uses_those_that_uv_brings(
    monkeypatch: pytest.MonkeyPatch, commands: list[tuple[str, ...]], tmp_path: Path
) -> None:
    store = tmp_path / "certs"
    store.mkdir()
    trust(monkeypatch, None, store)
    bootstrap.sync("demo")
    assert "--system-certs" not in commands[-1]


def test_what_is_installed_already_is_not_installed_again(
    monkeypatch: pytest.MonkeyPatch, commands: list[tuple[str, ...]]
) -> None:
    monkeypatch.setattr(bootstrap, "usable", lambda: True)
    bootstrap.main("demo")
    first = len(commands)
    bootstrap.main("demo")
    assert first == 2  # uv itself, then the packages
    assert len(commands) == first


def test_a_development_venv_serves_the_demo_too(
    monkeypatch: pytest.MonkeyPatch, commands: list[tuple[str, ...]]
) -> None:
    monkeypatch.setattr(bootstrap, "usable", lambda: True)
    bootstrap.main("dev")
    commands.clear()
    bootstrap.main("demo")
    assert commands == []
