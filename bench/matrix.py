"""The command lines that are timed (matrix.toml)."""

from __future__ import annotations

import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


@dataclass(frozen=True)
class Row:
    """One command line.

    Attributes
    ----------
    name : str
    crystal : str
        What its spots look like: square, round, gauss, tophat, one cell.
    words : tuple of str
        The command line, without the program's name and the names of its outputs.
    inputs : path
        Folder of the files it reads.
    picture_depends_on_threads : str
        Why nanoBragg draws another picture with several threads than with one; empty where it does not.
    reference_rounds : int or None
        How often nanoBragg draws it; None: as often as nbnumba.
    """

    name: str
    crystal: str
    words: tuple[str, ...]
    inputs: Path
    picture_depends_on_threads: str = ""
    reference_rounds: int | None = None

    def input_files(self) -> list[str]:
        """Names of the files that the command reads."""
        return [word for option, word in zip(self.words, self.words[1:], strict=False) if option in ("-mat", "-hkl")]

    def missing(self) -> str | None:
        """Say which input is missing, or return None when all are there."""
        for name in self.input_files():
            if not (self.inputs / name).is_file():
                return f"there is no {name} in the folder of its inputs; NBNUMBA_LARGE_JOB names that folder"
        return None

    def copy_inputs(self, folder: Path) -> None:
        """Copy what the command reads into a folder."""
        for name in self.input_files():
            shutil.copyfile(self.inputs / name, folder / name)


def load(path: Path = HERE / "matrix.toml") -> list[Row]:
    """Read the rows of the matrix."""
    with path.open("rb") as file:
        return [_row(entry) for entry in tomllib.load(file)["row"]]


def _row(entry: dict[str, Any]) -> Row:
    folders = {"golden": ROOT / "golden" / "inputs", "large job": large_job_folder()}
    return Row(
        name=entry["name"],
        crystal=entry["crystal"],
        words=tuple(entry["command"].split()),
        inputs=folders[entry.get("inputs", "golden")],
        picture_depends_on_threads=entry.get("picture_depends_on_threads", ""),
        reference_rounds=entry.get("reference_rounds"),
    )


def large_job_folder() -> Path:
    """Return the folder of the job that is not part of the repository, as the tests look for it."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    try:
        from large_job import large_job_folder as folder  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(ROOT / "tests" / "support"))
    found: Path = folder()
    return found
