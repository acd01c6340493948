"""Structure factors of the crystal: the reflection table, wherever it comes from."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError, InputError, called
from ..io.atomic import reason
from ..io.opening import is_regular, opened
from ..parameters.settings import FactorSettings, Settings
from ..util.messages import logger
from . import fdump
from . import hkl_list as hkl
from .required import missing_structure_factors
from .table import Cell, IndexBox, NeededRange, ReflectionTable, inside

if TYPE_CHECKING:
    from .by_energy import EnergyFactors
    from .from_model import Model
    from .mtz_cif import ReflectionFile

Report = Callable[[str], None]


class FactorSource(contextlib.AbstractContextManager["FactorSource"]):
    """Where the structure factors come from: a file that is opened once, when something is first asked of it.

    Parameters
    ----------
    settings : Settings
    reflections : ReflectionTable, optional
        A table that is in memory; no file is read then.

    Raises
    ------
    FileError
        The file is missing or cannot be read, where -hkl_column or -hkl_dmin want it to be of another kind than a
        text list.
    InputError
        Options contradict one another.
    """

    def __init__(self, settings: Settings, reflections: ReflectionTable | None = None) -> None:
        factors = settings.factors
        self._settings = settings
        self._reflections = reflections
        self._closing = contextlib.ExitStack()
        self._content: BinaryIO | ReflectionFile | Model | None = None
        self.place = (
            f"{called('pdb')} {factors.pdb_file}"
            if factors.pdb_file is not None and factors.phase_column is None
            else f"{called('hkl')} {factors.hkl_file}"
        )
        if reflections is None:
            self._check_options()

    def _check_options(self) -> None:
        """Refuse options of MTZ, CIF and PDB files where none of them is read."""
        factors = self._settings.factors
        self._check_anomalous()
        if factors.phase_column is not None:
            return
        if factors.pdb_file is not None:
            other = factors.hkl_file and f"{called('hkl')} {factors.hkl_file}"
            other = other or (factors.hkl_column and f"{called('hkl_column')} {factors.hkl_column}")
            if other:
                raise InputError(f"{self.place}: stands beside {other}; give one of the two")
            return
        if factors.hkl_column is not None:
            option = f"{called('hkl_column')} {factors.hkl_column}"
        elif factors.hkl_dmin > 0.0:
            option = f"{called('hkl_dmin_A')} {factors.hkl_dmin * 1e10:g}"
        else:
            return
        if factors.hkl_file is None:
            raise InputError(
                f"{option}: there is no file to take it from; give {called('hkl')} FILE, of MTZ or CIF, or leave it out"
            )
        from .mtz_cif import ReflectionFile

        if not isinstance(self._opened(), ReflectionFile):
            self._closing.close()
            raise InputError(f"{option}: {self.place} is a text list, not an MTZ or CIF file; leave it out")

    def _check_anomalous(self) -> None:
        """Refuse options of structure factors by energy that lack another one."""
        factors = self._settings.factors
        if factors.anomalous and factors.pdb_file is None:
            raise InputError(f"{called('anomalous', True)}: there are no atoms; give {called('pdb')} FILE")
        if factors.anomalous_bins is not None and not factors.anomalous:
            raise InputError(
                f"{called('anomalous_bins')}: {factors.anomalous_bins} has no effect without "
                f"{called('anomalous', True)}; give both"
            )
        if factors.phase_column is None:
            return
        for needed, given in (
            (called("hkl"), factors.hkl_file is not None),
            (called("pdb"), factors.pdb_file is not None),
            (called("anomalous", True), factors.anomalous),
        ):
            if not given:
                raise InputError(
                    f"{called('phase_column')}: {factors.phase_column} has no effect without {needed}: phases serve to "
                    "add the anomalous scattering of atoms"
                )

    def __exit__(self, *error: object) -> None:
        self._closing.close()

    def _opened(self) -> BinaryIO | ReflectionFile | Model | None:
        """Open the file, and read it unless it is a text list; None where there is no file."""
        factors = self._settings.factors
        if self._content is None and factors.pdb_file is not None and factors.phase_column is None:
            from .from_model import Model

            self._content = Model(factors.pdb_file)
        elif self._content is None and factors.hkl_file is not None:
            from .mtz_cif import ReflectionFile, kind_of

            file = self._closing.enter_context(opened(factors.hkl_file, called("hkl")))
            file = file if is_regular(file) else io.BytesIO(file.read())
            kind = kind_of(file, self.place)
            if kind is None and factors.phase_column is not None:
                raise InputError(
                    f"{called('phase_column')} {factors.phase_column}: {self.place} is a text list, not an MTZ"
                )
            self._content = (
                file
                if kind is None
                else ReflectionFile(file.read(), kind, factors.hkl_column, self.place, factors.phase_column)
            )
        return self._content

    @property
    def is_computed(self) -> bool:
        """Whether the table is computed from a model."""
        return self._reflections is None and self._settings.factors.pdb_file is not None

    @property
    def cell(self) -> Cell | None:
        """The unit cell that the file states; None where it is of a kind that states none.

        Raises
        ------
        FileError
            The file is missing or cannot be read.
        InputError
            It is of another kind, and states none; or it is malformed.
        """
        if self._reflections is not None:
            return self._reflections.cell
        content = self._opened()
        if content is None:
            return None
        from .from_model import Model
        from .mtz_cif import ReflectionFile

        if not isinstance(content, (ReflectionFile, Model)):
            return None
        if content.cell is None:
            raise InputError(
                f"{self.place}: states no unit cell; give {called('matrix')} FILE or {called('cell')} a b c al be ga"
            )
        return content.cell

    def by_energy(self, reach: NeededRange | None = None) -> EnergyFactors | None:
        """Work out what structure factors at any photon energy are made of; None where energy plays no part.

        Parameters
        ----------
        reach : NeededRange, optional
            What the image needs of a model without -hkl_dmin.

        Raises
        ------
        FileError
            A file is missing or cannot be read.
        InputError
            A file is malformed.
        """
        factors = self._settings.factors
        if not factors.anomalous:
            return None
        from .from_model import Model
        from .mtz_cif import ReflectionFile

        assert factors.pdb_file is not None
        content, phased = self._opened(), None
        if isinstance(content, ReflectionFile):
            phased = content.phased(factors.hkl_dmin)
        model = content if isinstance(content, Model) else Model(factors.pdb_file)
        return model.by_energy(self._settings, reach, phased)

    def load(
        self, report: Report = lambda line: None, *, reach: NeededRange | None = None, cache_folder: Path | None = None
    ) -> ReflectionTable | None:
        """Make the table.

        Gaps in the box of a list are filled with default_F, and the table is dumped for the next run. Those of a
        model are computed. Without either a dump is read if it is there.

        Parameters
        ----------
        report : callable
            Called with C's lines of the report.
        reach : NeededRange, optional
            What the image needs of a model without -hkl_dmin.
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
            A file is malformed, or there is no source of structure factors at all.

        Notes
        -----
        nanoBragg.c:1278 and 2105-2245.
        """
        if self._reflections is not None:
            return self._reflections
        factors, content, cell = self._settings.factors, self._opened(), None
        if content is None:
            return self._from_dump_or_nothing(report)
        from .from_model import Model
        from .mtz_cif import ReflectionFile

        if isinstance(content, Model):
            table, box = content.table(self._settings, reach, cache_folder)
            return ReflectionTable(table, box.h_min, box.k_min, box.l_min, box.cells, content.cell)
        if isinstance(content, ReflectionFile):
            report(f"reading {factors.hkl_file}")
            table, box, count = content.table(factors.hkl_dmin, factors.default_F)
            cell = content.cell
        else:
            table, box, count = hkl.read_open(content, str(factors.hkl_file), factors.default_F, report)
        _dump(factors, table, box, report)
        return ReflectionTable(table, box.h_min, box.k_min, box.l_min, count, cell)

    def _from_dump_or_nothing(self, report: Report) -> ReflectionTable | None:
        factors = self._settings.factors
        if factors.dump_file is not None:
            modified = _modification_time(factors.dump_file)
            if modified is not None:
                return _from_dump(factors.dump_file, factors.default_F, modified, report)
        missing = missing_structure_factors(self._settings)
        if missing is not None:
            raise InputError(missing)
        return None


def load(
    settings: Settings,
    report: Report = lambda line: None,
    *,
    reach: NeededRange | None = None,
    cache_folder: Path | None = None,
) -> ReflectionTable | None:
    """Read or compute the structure factors that the settings ask for; see `FactorSource`."""
    with FactorSource(settings) as source:
        return source.load(report, reach=reach, cache_folder=cache_folder)


def _modification_time(path: str) -> float | None:
    """Return when a file was written [s since the epoch], None when it is not there."""
    try:
        return Path(path).stat().st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FileError(f"{called('dump')} {path}: cannot be read: {reason(error)}") from error


def _dump(factors: FactorSettings, table: NDArray[np.float64], box: IndexBox, report: Report) -> None:
    """Write a table for the next run, where one is wanted."""
    if not factors.write_dump or factors.dump_file is None:
        return
    try:
        fdump.write(factors.dump_file, inside(table), box)
        report(f"writing dump file for next time: {factors.dump_file}")
    except (FileError, InputError) as error:
        stays = "; an older one stays as it is" if Path(factors.dump_file).exists() else ""
        logger.warning(f"no dump of the structure factors: {error}{stays}")


def _from_dump(dump_file: str, default_F: float, modified: float, report: Report) -> ReflectionTable:
    table, box = fdump.read(dump_file, called("dump"), default_F=default_F)
    date = time.strftime("%Y-%m-%d %H:%M", time.localtime(modified))
    logger.warning(f"no {called('hkl')}: structure factors are read from {dump_file} of {date}, {box}")
    report(f"reading Fs from {dump_file}")
    return ReflectionTable(table, box.h_min, box.k_min, box.l_min, box.cells)
