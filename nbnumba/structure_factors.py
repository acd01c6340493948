"""Structure factors of the crystal: the reflection table, wherever it comes from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import FileError, InputError
from .io import fdump, hkl
from .io.atomic import reason
from .io.index_box import inside
from .lacking import lacks_structure_factors
from .settings import Settings


@dataclass(frozen=True, eq=False)
class ReflectionTable:
    """Structure factors on a box of Miller indices.

    Attributes
    ----------
    table : (nh + 2, nk + 2, nl + 2) float64
        Structure factors [electrons] within a border of one cell that holds default_F.
    h_min, k_min, l_min : int
        Indices of the first cell inside the border.
    count : int
        What the report calls initialized: lines of a list, cells of a dump.
    """

    table: NDArray[np.float64]
    h_min: int
    k_min: int
    l_min: int
    count: int

    @property
    def values(self) -> NDArray[np.float64]:
        """Structure factors without the border, (nh, nk, nl); index 0 is h_min, k_min, l_min."""
        return inside(self.table)

    def bordered_by(self, default_F: float) -> NDArray[np.float64]:
        """Return the table with a border of some default_F; a copy only where the border holds another value."""
        if self.table[0, 0, 0] == default_F:
            return self.table
        table = np.full(self.table.shape, default_F)
        inside(table)[:] = self.values
        return table

    @property
    def h_max(self) -> int:
        """Largest h of the box."""
        return self.h_min + int(self.values.shape[0]) - 1

    @property
    def k_max(self) -> int:
        """Largest k of the box."""
        return self.k_min + int(self.values.shape[1]) - 1

    @property
    def l_max(self) -> int:
        """Largest l of the box."""
        return self.l_min + int(self.values.shape[2]) - 1


def load(
    settings: Settings,
    notify: Callable[[str], None] = lambda line: None,
    report: Callable[[str], None] = lambda line: None,
) -> ReflectionTable | None:
    """Read the reflections that the settings ask for.

    With -hkl the list is read, gaps in its box are filled with default_F, and the table is dumped for the
    next run. Without, such a dump is read if it is there.

    Parameters
    ----------
    settings : Settings
        hkl_file, dump_file, write_dump and default_F count.
    notify : callable
        Called with one-line remarks for standard error.
    report : callable
        Called with C's lines of the report.

    Returns
    -------
    ReflectionTable or None
        None when there is neither list nor dump, so that default_F holds everywhere.

    Raises
    ------
    FileError
        The list is missing, or a file cannot be read.
    InputError
        A file is malformed, or neither a list nor a dump nor -default_F is there.

    Notes
    -----
    nanoBragg.c:1278 and 2105-2245.
    """
    if settings.reflections is not None:
        return settings.reflections
    if settings.hkl_file is not None:
        return _from_list(settings, settings.hkl_file, notify, report)
    if settings.dump_file is not None:
        modified = _modification_time(settings.dump_file)
        if modified is not None:
            return _from_dump(settings.dump_file, settings.default_F, modified, notify, report)
    lacking = lacks_structure_factors(settings)
    if lacking is not None:
        raise InputError(lacking)
    return None


def _modification_time(path: str) -> float | None:
    """Return when a file was written [s since the epoch], None when it is not there."""
    try:
        return Path(path).stat().st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FileError(f"-dump {path}: cannot be read: {reason(error)}") from error


def _from_list(
    settings: Settings, hkl_file: str, notify: Callable[[str], None], report: Callable[[str], None]
) -> ReflectionTable:
    table, box, count = hkl.read(hkl_file, settings.default_F, notify, report)
    if settings.write_dump and settings.dump_file is not None:
        try:
            fdump.write(settings.dump_file, inside(table), box)
            report(f"writing dump file for next time: {settings.dump_file}")
        except (FileError, InputError) as error:
            stays = "; an older one stays as it is" if Path(settings.dump_file).exists() else ""
            notify(f"no dump of the structure factors: {error}{stays}")
    return ReflectionTable(table, box.h_min, box.k_min, box.l_min, count)


def _from_dump(
    dump_file: str,
    default_F: float,
    modified: float,
    notify: Callable[[str], None],
    report: Callable[[str], None],
) -> ReflectionTable:
    table, box = fdump.read(dump_file, "-dump", default_F=default_F)
    date = time.strftime("%Y-%m-%d %H:%M", time.localtime(modified))
    notify(f"no -hkl: structure factors are read from {dump_file} of {date}, {box}")
    report(f"reading Fs from {dump_file}")
    return ReflectionTable(table, box.h_min, box.k_min, box.l_min, box.cells)
