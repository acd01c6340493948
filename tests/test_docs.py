"""The examples of the documentation run as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nbnumba.example
from nbnumba import cli

ROOT = Path(__file__).resolve().parent.parent
_SPEC = re.compile(r"^```toml\n(command = .*?)^```", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    return [page for page in written_pages() if "```python" in page.read_text()]


def written_pages() -> list[Path]:
    """Return README and the pages of docs/, without those that Sphinx generates."""
    return [
        ROOT / "README.md",
        *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "generated"),
    ]


def copy_inputs(folder: Path) -> None:
    """Copy the files of the example, also under the names that the pages give them."""
    for name in nbnumba.example.INPUT_FILES:
        for copy in (name, f"lyso{Path(name).suffix}"):
            shutil.copy(Path(nbnumba.example.__file__).parent / name, folder / copy)


def make_batch(spec: str) -> None:
    """Make the batch of a page, of few images, in the FOLDER of its examples."""
    few = re.sub(r"images_per_file = \d+", "images_per_file = 2", re.sub(r"count = \d+", "count = 3", spec))
    Path("spec.toml").write_text(few)
    assert cli.main(["batch", "spec.toml", "-o", "FOLDER"]) == 0


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_python_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    for spec in _SPEC.findall(page.read_text()):
        make_batch(spec)
    names: dict[str, object] = {}
    blocks = _BLOCK.findall(page.read_text())
    assert blocks
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)


def test_the_page_on_python_is_among_them() -> None:
    assert "python.md" in [page.name for page in pages()]


@pytest.mark.parametrize("page", written_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith("http") and "generated/" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(ROOT / "docs"), str(tmp_path)]
    ran = subprocess.run(words, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "mosaic_domains" in (tmp_path / "generated" / "options.html").read_text()
    assert "tophat_abc" in (tmp_path / "generated" / "keywords.html").read_text()
    pictures = {path.name for path in (tmp_path / "_images").glob("*.png")}
    assert {"still.png", "rotation.png", "powder.png", "tilted.png", "cspad.png"} <= pictures
    assert "Parameters" in (tmp_path / "api.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "in_full", "shortened"), [("tutorial", "", ""), ("refinement", "= 200 ", "= 8 ")])
def test_the_notebook_runs_from_top_to_bottom(name: str, in_full: str, shortened: str, tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(ROOT / "docs" / f"{name}.ipynb", as_version=4)
    assert in_full in "".join(cell.source for cell in notebook.cells)
    for cell in notebook.cells:
        if in_full and cell.cell_type == "code":
            cell.source = cell.source.replace(in_full, shortened)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 2
