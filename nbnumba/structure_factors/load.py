"""Structure factors of the crystal: the reflection table, wherever it comes from."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError, InputError
from ..io.atomic import reason
from ..parameters.settings import Settings
from ..util.messages import logger
from . import fdump
from . import hkl_list as hkl
from . import mtz_cif as reflection_file
from .from_model import cell_of_model, factors_of_model
from .mtz_cif_columns import Cell
from .required import lacks_structure_factors
from .table import IndexBox, Reach, ReflectionTable, inside


def load(
    settings: Settings,
    report: Callable[[str], None] = lambda line: None,
    *,
    reach: Reach | None = None,
    cache_folder: Path | None = None,
) -> ReflectionTable | None:
    """Read or compute the structure factors that the settings ask for.

    With -hkl the file is read, gaps in its box are filled with default_F, and the table is dumped for the
    next run. With -pdb they are computed. With neither such a dump is read if it is there.

    Parameters
    ----------
    settings : Settings
        hkl_file, hkl_column, hkl_dmin, pdb_file, dump_file, write_dump and default_F count.
    report : callable
        Called with C's lines of the report.
    reach : Reach, optional
        What the picture needs of a model without -hkl_dmin.
    cache_folder : path, optional
        Where the table of a model is kept for the next run.

    Returns
    -------
    ReflectionTable or None
        None when there is neither list nor dump, so that default_F holds everywhere.

    Raises
    ------
    FileError
        The list is missing, or a file cannot be read.
    InputError
        A file is malformed, options contradict one another, or there is no source of structure factors at all.

    Notes
    -----
    nanoBragg.c:1278 and 2105-2245.
    """
    check_options(settings)
    if settings.factors.hkl_file is not None:
        return _from_file(settings, settings.factors.hkl_file, report)
    if settings.factors.pdb_file is not None:
        table, box, cell = factors_of_model(settings, reach, cache_folder)
        return ReflectionTable(table, box.h_min, box.k_min, box.l_min, box.cells, cell)
    if settings.factors.dump_file is not None:
        modified = _modification_time(settings.factors.dump_file)
        if modified is not None:
            return _from_dump(settings.factors.dump_file, settings.factors.default_F, modified, report)
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


def check_options(settings: Settings) -> None:
    """Refuse options of MTZ, CIF and PDB files where none of them is read.

    Raises
    ------
    FileError
        The file of -hkl is missing or cannot be read.
    InputError
        Two options contradict each other.
    """
    if settings.factors.pdb_file is not None:
        other = settings.factors.hkl_file and f"-hkl {settings.factors.hkl_file}"
        other = other or (settings.factors.hkl_column and f"-hkl_column {settings.factors.hkl_column}")
        if other:
            raise InputError(f"-pdb {settings.factors.pdb_file}: stands beside {other}; give one of the two")
        return
    if settings.factors.hkl_column is not None:
        option = f"-hkl_column {settings.factors.hkl_column}"
    elif settings.factors.hkl_dmin > 0.0:
        option = f"-hkl_dmin {settings.factors.hkl_dmin * 1e10:g}"
    else:
        return
    if settings.factors.hkl_file is None:
        raise InputError(f"{option}: there is no file to take it from; give -hkl FILE, of MTZ or CIF, or leave it out")
    if reflection_file.kind(settings.factors.hkl_file) is None:
        raise InputError(
            f"{option}: -hkl {settings.factors.hkl_file} is a text list, not an MTZ or CIF file; leave it out"
        )


def cell_of_file(settings: Settings) -> tuple[str, Cell]:
    """Return the file of structure factors, as typed, and the unit cell that it states.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is malformed or states no cell.
    """
    if settings.factors.pdb_file is not None:
        return f"-pdb {settings.factors.pdb_file}", cell_of_model(settings.factors.pdb_file)
    assert settings.factors.hkl_file is not None
    kind, cell = reflection_file.kind(settings.factors.hkl_file), None
    if kind is not None:
        cell = reflection_file.cell_of(settings.factors.hkl_file, kind, settings.factors.hkl_column)
    if cell is None:
        raise InputError(
            f"-hkl {settings.factors.hkl_file}: states no unit cell; give -mat FILE or -cell a b c al be ga"
        )
    return f"-hkl {settings.factors.hkl_file}", cell


def _from_file(settings: Settings, hkl_file: str, report: Callable[[str], None]) -> ReflectionTable:
    """Read -hkl, whatever kind of file it is, and dump it for the next run."""
    kind = reflection_file.kind(hkl_file)
    cell: Cell | None = None
    if kind is None:
        table, box, count = hkl.read(hkl_file, settings.factors.default_F, report)
    else:
        report(f"reading {hkl_file}")
        table, box, count, cell = reflection_file.read(
            hkl_file, kind, settings.factors.hkl_column, settings.factors.hkl_dmin, settings.factors.default_F
        )
    if settings.factors.write_dump and settings.factors.dump_file is not None:
        _dump(settings.factors.dump_file, table, box, report)
    return ReflectionTable(table, box.h_min, box.k_min, box.l_min, count, cell)


def _dump(
    dump_file: str,
    table: NDArray[np.float64],
    box: IndexBox,
    report: Callable[[str], None],
) -> None:
    try:
        fdump.write(dump_file, inside(table), box)
        report(f"writing dump file for next time: {dump_file}")
    except (FileError, InputError) as error:
        stays = "; an older one stays as it is" if Path(dump_file).exists() else ""
        logger.warning(f"no dump of the structure factors: {error}{stays}")


def _from_dump(
    dump_file: str,
    default_F: float,
    modified: float,
    report: Callable[[str], None],
) -> ReflectionTable:
    table, box = fdump.read(dump_file, "-dump", default_F=default_F)
    date = time.strftime("%Y-%m-%d %H:%M", time.localtime(modified))
    logger.warning(f"no -hkl: structure factors are read from {dump_file} of {date}, {box}")
    report(f"reading Fs from {dump_file}")
    return ReflectionTable(table, box.h_min, box.k_min, box.l_min, box.cells)
