"""The examples of the documentation run as they stand."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import nbnumba.example
from nbnumba import cli

ROOT = Path(__file__).resolve().parent.parent
_SPEC = re.compile(r"^```toml\n(command = .*?)^```", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    return [
        page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if "```python" in page.read_text()
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


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 2
