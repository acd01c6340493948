"""Python environments with other packages than this one: virtual environments of links to what is installed here."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from requirements import ROOT


def make(folder: Path, packages: Iterable[str]) -> Path:
    """Make an environment that holds some packages of this one and what they need, but no extras of theirs.

    Parameters
    ----------
    folder : path
        Does not exist yet.
    packages : iterable of str
        Names of distributions. Those that are not installed here are left out.

    Returns
    -------
    path
        The Python of the environment. It imports nbnumba from this checkout.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    for name in _with_needs(packages):
        _link(importlib.metadata.distribution(name), site)
    (site / "checkout.pth").write_text(f"{ROOT}\n")
    return folder / "bin" / "python"


def _with_needs(packages: Iterable[str]) -> set[str]:
    """Return the names of distributions, and of those that they require without any extra."""
    wanted, waiting = set(), list(packages)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in wanted:
            continue
        try:
            requires = importlib.metadata.distribution(name).requires or []
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted.add(name)
        waiting += [re.split(r"[ \[<>=!~;(]", line)[0] for line in requires if "extra ==" not in line]
    return wanted


def _link(distribution: importlib.metadata.Distribution, site: Path) -> None:
    """Link the packages and single files of a distribution; folders that distributions share are made anew."""
    for path in {
        _whole(distribution, Path(*file.parts)) for file in distribution.files or [] if ".." not in file.parts
    }:
        source, link = Path(str(distribution.locate_file(path))), site / path
        if source.exists() and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source)


def _whole(distribution: importlib.metadata.Distribution, file: Path) -> Path:
    """Return the outermost folder of a file that belongs to its distribution alone, else the file."""
    for folder in reversed(file.parents[:-1]):
        alone = folder.suffix in (".dist-info", ".libs")
        if alone or Path(str(distribution.locate_file(folder / "__init__.py"))).is_file():
            return folder
    return file
