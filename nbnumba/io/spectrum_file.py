"""Files of spectra: tables of photon energies and weights, NXmx files, and the NXmx file that a DIALS .expt names."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..util.text import NUMBER, counted, quote
from .atomic import PathLike
from .opening import label, opened, read_text

if TYPE_CHECKING:
    from .nexus.spectrum import Spectra

Array = NDArray[np.float64]

EV_ANGSTROM = 12398.42  # energy times wavelength, as C has it
LOWEST, HIGHEST = 100.0, 1e6  # eV; nothing else is diffracted as drawn here

_DELIMITERS = re.compile(r"[ \t,;:!\f\v]+")
_NUMBER = re.compile(NUMBER, re.ASCII)
_HDF5 = b"\x89HDF\r\n\x1a\n"
_DETECT = 4096  # bytes


class SpectrumFile:
    """A file of spectra, opened: a table is in memory, of an NXmx file spectra are read when one is asked for.

    A table has a line for each channel: its photon energy [eV], then its weight, or one weight for every shot. Blanks,
    tabs and ``, ; : !`` separate columns; blank lines are skipped, and so is a ``#`` with the rest of its line. An NXmx
    file has one spectrum for all images, or one for each. Of a DIALS .expt the image file of its first
    experiment counts.

    Parameters
    ----------
    path : str or path
    option : str
        The option that named the file, for messages.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    InputError
        It is none of these files.
    """

    def __init__(self, path: PathLike, option: str = "") -> None:
        with opened(path, option) as file:
            start = file.read(_DETECT)
        self._path, self._option, self._name = path, option, label(option, path)
        self._first = 0
        self._table: Array | None = None
        self._spectra: Spectra | None = None
        if start.startswith(_HDF5):
            return
        text = read_text(path, option)
        if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
            self._path, self._first = _image_of_expt(text, Path(path), self._name)
            self._name += f": its image file {self._path}"
        else:
            self._table = _table(text, path, option)

    def spectrum(self, shot: int | None = None) -> tuple[Array, Array]:
        """Return a spectrum.

        Parameters
        ----------
        shot : int, optional
            Column of weights, or image, counted from 0; by default the first, of an .expt that of its first experiment.

        Returns
        -------
        energies : (n,) [eV]
            Rising.
        weights : (n,)
            At least one is above 0.

        Raises
        ------
        FileError
            The file cannot be read.
        InputError
            It holds no such spectrum, or something else than energies from 100 eV to 1 MeV, each once, with weights
            that are finite and not negative.
        """
        shot = self._first if shot is None else shot
        if self._table is None:
            if self._spectra is None or not self._spectra.holds(shot):
                from .nexus import spectrum

                self._spectra = spectrum.read(self._path, shot, self._option)
            return _from_nexus(*self._spectra.of(shot), self._name)
        shots = self._table.shape[1] - 1
        if shot >= shots:
            raise InputError(f"{self._name}: no spectrum {shot}; there are {shots}, counted from 0")
        return _sorted(self._table[:, 0], self._table[:, 1 + shot], self._name)


def _from_nexus(wavelengths: Array, weights: Array, name: str) -> tuple[Array, Array]:
    counted = weights != 0.0  # channels that pad the spectra of shots to one length
    wavelengths, weights = wavelengths[counted], weights[counted]
    if not np.all((wavelengths > 0.0) & np.isfinite(wavelengths)):
        raise InputError(f"{name}: holds wavelengths that are not above 0")
    return _sorted(EV_ANGSTROM / wavelengths, weights, name)


def _sorted(energies: Array, weights: Array, name: str) -> tuple[Array, Array]:
    """Return a spectrum in the order of its energies, checked."""
    from .nexus.spectrum import MOST_CHANNELS

    if len(energies) > MOST_CHANNELS:
        raise InputError(f"{name}: {len(energies)} channels; at most {MOST_CHANNELS}")
    outside = energies[(energies < LOWEST) | (energies > HIGHEST) | ~np.isfinite(energies)]
    if outside.size:
        hint = "; a wavelength in Angstrom?" if 0.0 < outside[0] < LOWEST else ""
        raise InputError(
            f"{name}: a photon energy is {outside[0]:g} eV; allowed are {LOWEST:g} to {HIGHEST:g} eV{hint}"
        )
    if not np.all(np.isfinite(weights) & (weights >= 0.0) & (weights < 1e50)):
        bad = weights[~(np.isfinite(weights) & (weights >= 0.0) & (weights < 1e50))][0]
        raise InputError(f"{name}: a weight is {bad:g}; allowed are finite numbers of at least 0")
    if not np.any(weights > 0.0):
        raise InputError(f"{name}: all weights are 0; at least one must be above 0")
    order = np.argsort(energies, kind="stable")
    energies, weights = energies[order], weights[order]
    twice = np.flatnonzero(np.diff(energies) == 0.0)
    if twice.size:
        raise InputError(f"{name}: the photon energy {energies[twice[0]]:.10g} eV stands twice; each may stand once")
    return energies, weights


def _table(text: str, path: PathLike, option: str) -> Array:
    rows: list[list[float]] = []
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        words = [word for word in _DELIMITERS.split(line.split("#", 1)[0]) if word]
        if not words:
            continue
        place = label(option, path, number)
        values = [_number(word, place) for word in words]
        if len(values) < 2:
            raise InputError(f"{place}: the weight is missing; a line is energy(eV) weight, or a weight for every shot")
        if rows and len(values) != len(rows[0]):
            raise InputError(f"{place}: has {counted(len(values), 'column')}, the lines above it {len(rows[0])}")
        rows.append(values)
    if not rows:
        raise InputError(f"{label(option, path)}: holds no channel; a line is energy(eV) weight")
    return np.array(rows)


def _number(word: str, place: str) -> float:
    value = float(word) if _NUMBER.fullmatch(word) else math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: {quote(word)} is no finite number; a line is energy(eV) weight")
    return value


def _image_of_expt(text: str, path: Path, name: str) -> tuple[Path, int]:
    """Return the image file of the first experiment of a DIALS experiment list, and the number of its image."""
    try:
        content: Any = json.loads(text)
        experiment = content["experiment"][0]
        imageset = content["imageset"][experiment["imageset"]]
        template = imageset.get("template") or imageset["images"][0]
        indices = imageset.get("single_file_indices") or [0]
        image, index = os.fspath(template), int(indices[0])
    except (ValueError, RecursionError):
        raise InputError(f"{name}: not JSON, so no .expt") from None
    except (AttributeError, KeyError, IndexError, TypeError):
        raise InputError(f"{name}: names no image file, in which its spectrum would stand") from None
    if not image or "\0" in image or not 0 <= index < 2**31:
        raise InputError(f"{name}: names no image file, in which its spectrum would stand")
    return path.parent / image, index
