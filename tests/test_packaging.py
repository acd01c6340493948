"""What a user installs: the wheel's content, the entry points, the example and the set-up script."""

from __future__ import annotations

import email
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import nbnumba
from nbnumba.example import INPUT_FILES, WRITES

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.command_line


def _python(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)


def test_wheel_holds_every_module_and_the_example(tmp_path: Path) -> None:
    built = _python("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), folder=ROOT)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "nbnumba").rglob("*.py")}
    assert modules <= packed
    assert {f"nbnumba/example/{name}" for name in INPUT_FILES} <= packed
    assert not [name for name in packed if not name.startswith(("nbnumba/", f"nbnumba-{nbnumba.__version__}"))]


def test_what_a_package_index_shows(tmp_path: Path) -> None:
    built = _python("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), folder=ROOT)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(packed.read(name))
        assert "nbnumba/py.typed" in packed.namelist()
    text = metadata.get_payload()
    assert isinstance(text, str)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 5
    assert all(link.startswith(("https://", "#")) for link in links)
    for link in links:
        path = link.partition("/main/")[2].partition("#")[0]
        if link.startswith(("https://github.com/nbnumba/nbnumba/blob/", "https://raw.githubusercontent.com/nbnumba")):
            assert (ROOT / path).exists(), link
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert {url.partition(",")[0] for url in metadata.get_all("Project-URL", [])} >= {"Homepage", "Security", "Issues"}


def test_the_conda_recipe_asks_for_the_same_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    recipe = (ROOT / "recipe" / "meta.yaml").read_text()
    assert f'set version = "{nbnumba.__version__}"' in recipe
    run = recipe.partition("  run:\n")[2].partition("\n\n")[0]
    listed = {line.strip("- ").replace(" ", "") for line in run.splitlines()}
    assert listed == {*project["dependencies"], f"python{project['requires-python']}"}


def test_console_script_names_a_function_that_returns_an_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, function = project["scripts"]["nbnumba"].split(":")
    assert getattr(importlib.import_module(module), function)(["-version"]) == 0
    assert nbnumba.__version__ in capsys.readouterr().out


def test_module_runs_as_a_program(tmp_path: Path) -> None:
    ran = _python("-m", "nbnumba", "-version", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert nbnumba.__version__ in ran.stdout
    failed = _python("-m", "nbnumba", "-mat", "missing.mat", "-default_F", "1", folder=tmp_path)
    assert failed.returncode == 3
    assert failed.stderr.count("\n") == 1
    assert "missing.mat" in failed.stderr


def test_example_writes_what_it_says(tmp_path: Path) -> None:
    ran = _python("-m", "nbnumba.example", "pictures", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    for name in WRITES:
        assert (tmp_path / "pictures" / name).stat().st_size > 0
        assert str(tmp_path / "pictures" / name) in ran.stdout


def test_example_in_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = _python("-m", "nbnumba.example", "file", folder=tmp_path)
    assert ran.returncode == 3
    assert ran.stderr.count("\n") == 1


def test_set_up_script_without_python(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "run.sh", tmp_path / "run.sh")
    environment = {**os.environ, "PYTHON": "/no/such/python3"}
    ran = subprocess.run(["bash", tmp_path / "run.sh", "test"], env=environment, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr == "run.sh: needs Python 3.11 or newer, /no/such/python3 is missing; set PYTHON to one\n"


def test_one_version_everywhere() -> None:
    """Package, conda recipe, citation and change log state the same version."""
    stated = {
        "recipe/meta.yaml": r'set version = "(.+?)"',
        "CITATION.cff": r"(?m)^version: (.+)$",
        "CHANGELOG.md": r"(?m)^## (\d\S*)",
    }
    for name, pattern in stated.items():
        found = re.search(pattern, (ROOT / name).read_text("utf-8"))
        assert found is not None, name
        assert found[1] == nbnumba.__version__, name
    recipe = (ROOT / "recipe" / "meta.yaml").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for needed in project["dependencies"]:
        assert f"- {needed.replace('>=', ' >=')}\n" in recipe, needed
