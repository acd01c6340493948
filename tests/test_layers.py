"""Imports point down the list of layers in pyproject.toml."""

from importlinter.cli import lint_imports
from requirements import ROOT


def test_imports_point_down(monkeypatch, capsys) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0, capsys.readouterr().out
