"""Imports point down the list of layers in pyproject.toml, and no modules import one another in a circle."""

import grimp
from importlinter.cli import lint_imports
from requirements import ROOT


def test_imports_point_down(monkeypatch, capsys) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename="pyproject.toml", no_cache=True) == 0, capsys.readouterr().out


def test_no_module_imports_itself_through_others() -> None:
    """Take away modules that import no other module that is left; nothing may remain."""
    graph = grimp.build_graph("nbnumba", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    while done := [module for module, others in imports.items() if not others & imports.keys()]:
        for module in done:
            del imports[module]
    assert sorted(imports) == []
