"""Reflection files of other programs, MTZ, CIF and XDS_ASCII, brought to P1."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, called
from ..io.gzip_files import GZIP, understood, unpacked_data
from ..util.messages import logger
from ..util.text import counted
from . import french_wilson, other_lists
from .cif_columns import read_cif
from .mtz_cif_columns import Columns, read_mtz
from .phased import PhasedReflections
from .symmetry import Expansion, expand, has_symmetry
from .table import LARGEST_F, Cell, IndexBox
from .xds_ascii import is_xds_ascii, read_xds_ascii

MTZ, CIF, XDS = "MTZ", "CIF", "XDS_ASCII"
Spacing = Callable[[NDArray[np.int64]], NDArray[np.float64]]
_BOM = b"\xef\xbb\xbf"
_SNIFFED = 1 << 16  # bytes that comments before the first item of a CIF may take


def kind_of(file: BinaryIO, place: str) -> str | None:
    """Tell by its content what a reflection file is.

    Parameters
    ----------
    file : binary file
        Its beginning; it is left there.
    place : str
        Option and path, for messages.

    Returns
    -------
    "MTZ", "CIF", "XDS_ASCII" or None
        None for a text list.

    Raises
    ------
    InputError
        It is a file of another program that is read as none of these; or a list that gzip packed.
    """
    start = file.read(_SNIFFED)
    file.seek(0)
    if not start.startswith(GZIP):
        found = _kind_of(start)
        if found is None:
            other_lists.refuse(start, place)
        return found
    try:
        with gzip.GzipFile(fileobj=file) as packed:
            start = packed.read(_SNIFFED)
            found = _kind_of(start)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{place}: cannot be unpacked: {error}") from error
    if found is None:
        other_lists.refuse(start, place)
        raise InputError(f"{place}: packed by gzip, and neither MTZ, CIF nor XDS_ASCII; unpack a list of reflections")
    file.seek(0)
    return found


def _kind_of(start: bytes) -> str | None:
    if start.startswith(b"MTZ "):
        return MTZ
    start = start.removeprefix(_BOM)
    if is_xds_ascii(start):
        return XDS
    item = re.match(rb"(?:\s+|#[^\r\n]*)*+(?=[^\s#])", start)
    return CIF if item and start[item.end() : item.end() + 5].lower() == b"data_" else None


class ReflectionFile:
    """The content of an MTZ, CIF or XDS_ASCII file.

    Parameters
    ----------
    data : bytes
        As they stand in the file, packed or not.
    kind : {"MTZ", "CIF", "XDS_ASCII"}
    column : str or None
        The column to take; of a pair of Friedel mates either. Without, amplitudes come before pairs of amplitudes,
        intensities and pairs of intensities; in an MTZ well known names of amplitudes come before others, observed
        before calculated.
    place : str
        Option and path, for messages.
    phase : str, optional
        The column of phases to take beside it, from an MTZ.

    Raises
    ------
    InputError
        The file is malformed, or has no such column.
    """

    def __init__(self, data: bytes, kind: str, column: str | None, place: str, phase: str | None = None) -> None:
        self._place = place
        data = unpacked_data(data, place).removeprefix(_BOM)
        with understood(place, f"{kind} file"):
            if phase is not None and kind != MTZ:
                raise InputError(f"{called('phase_column')} {phase}: {place} is no MTZ file; phases are read from one")
            if kind == MTZ:
                self._chosen = read_mtz(data, column, place, phase)
            else:
                self._chosen = (read_cif if kind == CIF else read_xds_ascii)(data, column, place)

    @property
    def cell(self) -> Cell | None:
        """The unit cell that the file states for the column."""
        return self._chosen.cell

    def table(self, dmin: float = 0.0, default_F: float = 0.0) -> tuple[NDArray[np.float64], IndexBox, int]:
        """Make a table for P1.

        All operations of the space group are applied, and Friedel mates are equal unless the file holds both. Of a
        reflection that stands in the file more than once the last row counts, whatever equivalent it names. Values
        that are missing are left out. Intensities become amplitudes by their standard deviations, where the file has
        them; else by the square root, those below 0 as 0.

        Parameters
        ----------
        dmin : float
            Finest spacing that is taken [m]; 0: all.
        default_F : float
            Structure factor of the reflections that the file lacks, and of the border [electrons]. Systematic
            absences inside the box are 0 unless the file says otherwise.

        Returns
        -------
        table : (nh + 2, nk + 2, nl + 2) float64
            Structure factors [electrons] within a border of one cell; index 1 is h_min, k_min, l_min.
        box : IndexBox
            The ranges.
        count : int
            Number of reflections after expansion.

        Raises
        ------
        InputError
            The column holds no value, or the table would not fit into memory.
        """
        place, chosen = self._place, self._chosen
        spacing = _spacing(chosen, dmin, place)
        hkl, F, friedel = _amplitudes(chosen, spacing)
        if dmin > 0.0:
            kept = spacing(hkl) >= dmin * 1e10 * (1.0 - 1e-9)
            hkl, F = hkl[kept], F[kept]
        if not len(hkl):
            beyond = f" of {dmin * 1e10:g} Å or coarser ({called('hkl_dmin_A')})" if dmin > 0.0 else ""
            raise InputError(f"{place}: column {chosen.names} holds no value{beyond}")
        if not np.abs(F).max() <= LARGEST_F:
            raise InputError(
                f"{place}: column {chosen.names} holds {F[np.abs(F).argmax()]:g}; "
                f"allowed are {-LARGEST_F:g} to {LARGEST_F:g}"
            )
        expansion = expand(hkl, F, chosen.operations, friedel, default_F, place)
        for line in _remarks(chosen, expansion, hkl, spacing, place):
            logger.warning(line)
        return expansion.table, expansion.box, expansion.count

    def phased(self, dmin: float = 0.0) -> PhasedReflections:
        """Return the complex structure factors of the column and its phases, those that are missing left out.

        Parameters
        ----------
        dmin : float
            Finest spacing that is taken [m]; 0: all.

        Raises
        ------
        InputError
            The column is none of amplitudes, or nothing is left.
        """
        place, chosen = self._place, self._chosen
        assert chosen.phases is not None
        if chosen.intensity or chosen.minus is not None:
            raise InputError(
                f"{place}: column {chosen.names} stands beside {called('phase_column')}; an amplitude (type F) is "
                f"allowed, such as {called('hkl_column')} FC"
            )
        hkl = chosen.hkl.astype(np.int64)
        values = np.asarray(chosen.plus * np.exp(1j * np.radians(chosen.phases)), dtype=np.complex128)
        kept = np.isfinite(values) & hkl.any(axis=1)
        if dmin > 0.0:
            kept &= _spacing(chosen, dmin, place)(hkl) >= dmin * 1e10 * (1.0 - 1e-9)
        if not kept.any():
            raise InputError(f"{place}: columns {chosen.names} and phases hold no value in the range that is taken")
        if not np.abs(values[kept]).max() <= LARGEST_F:
            raise InputError(f"{place}: column {chosen.names} holds values beyond {LARGEST_F:g}")
        return PhasedReflections(hkl[kept], values[kept], chosen.operations, chosen.cell, place)


def _amplitudes(chosen: Columns, spacing: Spacing) -> tuple[NDArray[np.int64], NDArray[np.float64], bool]:
    """Return indices and amplitudes without missing ones, and whether Friedel mates are equal."""
    plus, minus = chosen.plus, chosen.minus
    sigma = None if chosen.sigmas is None else chosen.sigmas[0]
    hkl = chosen.hkl.astype(np.int64)
    if minus is not None:
        # One of the two may be missing, as it is of centric reflections. The mates come first, so that of a
        # centric reflection F(+) counts.
        no_plus, no_minus = np.isnan(plus), np.isnan(minus)
        plus, minus = np.where(no_plus, minus, plus), np.where(no_minus, plus, minus)
        hkl, plus = np.concatenate([-hkl, hkl]), np.concatenate([minus, plus])
        if chosen.sigmas is not None:
            of_plus, of_minus = chosen.sigmas
            sigma = np.concatenate([np.where(no_minus, of_plus, of_minus), np.where(no_plus, of_minus, of_plus)])
    there = ~np.isnan(plus)
    hkl, plus = hkl[there], plus[there]
    if chosen.intensity and sigma is not None:
        plus = french_wilson.from_measured(hkl, plus, sigma[there], chosen.operations, spacing)
    elif chosen.intensity:
        plus = np.sqrt(np.maximum(plus, 0.0))
    return hkl, plus, minus is None


def _spacing(chosen: Columns, dmin: float, place: str) -> Spacing:
    """Return a function of indices that gives their spacing [Angstrom]."""
    if chosen.cell is None:
        if dmin > 0.0:
            raise InputError(
                f"{called('hkl_dmin_A')} {dmin * 1e10:g}: {place} states no unit cell, so that no spacing is known"
            )
        return lambda hkl: np.full(len(hkl), np.nan)
    import gemmi

    cell = gemmi.UnitCell(*chosen.cell)

    def spacing(hkl: NDArray[np.int64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / np.sqrt(cell.calculate_1_d2_array(np.ascontiguousarray(hkl, dtype=np.int32))))

    return spacing


def _remarks(
    chosen: Columns,
    expansion: Expansion,
    hkl: NDArray[np.int64],
    spacing: Spacing,
    place: str,
) -> Iterator[str]:
    if chosen.cell is None:
        to = "no unit cell"
    else:
        spacings = spacing(hkl)
        to = f"{spacings[np.isfinite(spacings)].max(initial=spacings.min()):.4g} to {spacings.min():.4g} Å"
    what = "intensities" if chosen.intensity else "amplitudes"
    if chosen.minus is not None:
        what += " of Friedel mates"
    if chosen.intensity:
        way = "by their standard deviations (French-Wilson)" if chosen.sigmas is not None else "as their square roots"
        what += f", drawn {way}"
    yield (
        f"{place}: column {chosen.names}{chosen.origin}, {what}; {counted(expansion.unique, 'unique reflection')} in "
        f"{chosen.group}, {expansion.count} in P1, {to}"
    )
    if chosen.intensity:
        values = (chosen.plus,) if chosen.minus is None else (chosen.plus, chosen.minus)
        negative = sum(int(np.count_nonzero(value < 0.0)) for value in values)
        if negative:
            drawn = "0" if chosen.sigmas is None else "the small amplitudes that they leave likely"
            found = counted(negative, "intensity below 0 is", "intensities below 0 are")
            yield f"{place}: {found} drawn as {drawn}"
    if chosen.cell is not None and not has_symmetry(chosen.cell, chosen.operations):
        numbers = " ".join(f"{value:g}" for value in chosen.cell)
        yield f"{place}: the unit cell {numbers} has not the symmetry of {chosen.group}"
    if expansion.repeated:
        rows = counted(expansion.repeated, "row repeats", "rows repeat")
        yield f"{place}: {rows} a reflection with another value; the last one counts"
