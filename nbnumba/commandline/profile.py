"""`nbnumba background-profile`: F against sin(theta)/lambda of an image, as a table for -background."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..background.material import Material, photons_per_steradian
from ..errors import InputError
from ..experiment.resolve import resolve
from ..experiment.scene import build_scenes
from ..imagefiles.load import read as read_images
from ..imagefiles.records import ImageRecord
from ..io.atomic import check_can_write, check_distinct, whole_file
from ..io.stol_file import LARGEST_F
from ..parameters.parser import parse, parse_with_files
from ..util.messages import logger
from ..util.text import is_whole, quote
from .own_options import take_own_options

_OWN = {"-o": "-o", "-output": "-o", "-bins": "-bins", "-amount": "-amount"}
_FEWEST = 20  # pixels of a bin
_DEFAULT_BINS, _MOST_BINS = 100, 100_000
# Beam and detector of the image take the places of those of this experiment, whose crystal is never drawn.
_NO_CRYSTAL = "-cell 10 10 10 90 90 90 -N 1 -default_F 1 -misset 0 0 0 -nodump -semantics exact".split()


def profile(words: Sequence[str]) -> None:
    """Write the median of F in bins of sin(theta)/lambda.

    Parameters
    ----------
    words : sequence of str
        An image, ``-o FILE``, ``-bins N``, ``-amount thick_mm[:density:MW]`` (of water by default), and options of a
        rendering that say what the image does not: its geometry, -fluence, -gain.

    Raises
    ------
    InputError
        For a mistake in the words, or an image without pixels that count.
    FileError
        When a file cannot be read or written.
    """
    own, rest = take_own_options(words, _OWN)
    command, files = parse_with_files(rest)
    for line in command.notices:
        logger.warning(line)
    if len(files) != 1:
        raise InputError(f"background-profile: needs one image, got {len(files)}")
    target = own.get("-o")
    if target is None:
        raise InputError("background-profile: needs -o FILE, the table to write")
    bins = _bins(own.get("-bins"))
    material = _amount(own.get("-amount", "1"))
    check_distinct([("-o", target)], [("background-profile", files[0])])
    check_can_write("-o", target)
    record = next(read_images(files[0], command))
    fluence = record.truth.fluence
    if fluence is None or command.gives("fluence", "flux"):
        fluence = command.settings.beam.fluence
        if not command.gives("fluence", "flux"):
            logger.warning(f"the fluence is not known: {fluence:g} photons/m^2 is taken; -fluence says another")
    size = command.settings.beam.beamsize if command.gives("beamsize_mm") else record.geometry.beam.size
    stol, F, reach = _points(record, fluence, material.molecules(size), command.settings.readout.gain)
    table = _medians(stol, F, reach, bins)
    _check_scale(record.name or files[0], max(point[1] for point in table), fluence)
    with whole_file(target) as file:
        file.write(b"# sin(theta)/lambda [1/A], F [electrons], pixels\n")
        file.write("".join(f"{s:.6g} {f:.6g} {n:d}\n" for s, f, n in table).encode("ascii"))
    print(f"wrote {target}: {len(table)} points from {table[0][0]:g} to {table[-1][0]:g} 1/Å, {len(F)} pixels")


def _check_scale(image: str, largest: float, fluence: float) -> None:
    """Refuse a table that -background would not read."""
    if largest > LARGEST_F:
        raise InputError(
            f"{image}: F reaches {largest:.3g} electrons with a fluence of {fluence:.3g} photons/m^2; a table holds up "
            f"to {LARGEST_F:g}. -fluence, -gain and -amount say what the image does not, and its pixels must be photons"
        )


def _bins(text: str | None) -> int:
    if text is None:
        return _DEFAULT_BINS
    if not is_whole(text, 1, _MOST_BINS):
        raise InputError(f"-bins: {quote(text)}; allowed are whole numbers from 1 to {_MOST_BINS}")
    return int(text)


def _amount(text: str) -> Material:
    """Return a body of thick_mm[:density:MW]."""
    try:
        numbers = [float(word) for word in text.split(":")]
    except ValueError:
        numbers = []
    thickness, density, molar_mass = [*numbers, *(1.0, 1.0, 18.0)[len(numbers) :]][:3]
    if not 1 <= len(numbers) <= 3 or not all(0.0 < number < 1e9 for number in numbers):
        raise InputError(f"-amount: {text!r} is not thick_mm[:density:MW], numbers above 0")
    return Material("", thickness * 1e-3, density, molar_mass, np.zeros((0, 2)))


def _points(
    record: ImageRecord, fluence: float, molecules: float, gain: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, float]]:
    """Return stol [1/A] and F of every pixel that counts, of all panels, and the range of stol that they cover."""
    from ..kernels.background import driver
    from ..kernels.background.extent import sine_range

    geometry = record.geometry
    first = geometry.detector.panels[0]
    plain = resolve(parse(_NO_CRYSTAL).settings)
    roi = (0, first.n_fast - 1, 0, first.n_slow - 1)
    sampling = dataclasses.replace(plain.sampling, oversample=1, roi=roi)
    beam = dataclasses.replace(geometry.beam, fluence=fluence)
    experiment = dataclasses.replace(plain, beam=beam, detector=geometry.detector, sampling=sampling)
    panels = record.pixels.reshape(-1, *record.pixels.shape[-2:])
    low, high = np.inf, 0.0
    found: list[NDArray[np.float64]] = []
    values: list[NDArray[np.float64]] = []
    for number, scene in enumerate(build_scenes(experiment)):
        image = panels[number][: scene.n_slow, : scene.n_fast] if len(panels) > 1 else panels[0]
        pixels = image.astype(np.float64)
        sines, inverse = sine_range(scene), scene.sources[:, 3] * 1e-10
        low, high = min(low, sines[0] * float(inverse.min())), max(high, sines[1] * float(inverse.max()))
        photons = photons_per_steradian(fluence, molecules, float(scene.sources[:, 4].sum()), 1)
        stol, F = driver.extracted(scene, pixels / gain, photons)
        # Below 0 are marks of pixels that do not count.
        counts = np.isfinite(F) & (pixels >= 0.0)
        if image.dtype.kind in "iu":
            counts &= pixels < pixels.max() if pixels.max() >= 65533 else True
        found.append(stol[counts] * 1e-10)
        values.append(F[counts])
    stol, F = np.concatenate(found), np.concatenate(values)
    if not F.size:
        raise InputError(f"{record.name or 'the image'}: holds no pixel that counts")
    return stol, F, (low, high)


def _medians(
    stol: NDArray[np.float64], F: NDArray[np.float64], reach: tuple[float, float], bins: int
) -> list[tuple[float, float, int]]:
    """Return stol, median of F and pixels of every bin that has enough of them; the ends cover the image."""
    low, high = float(stol.min()), float(stol.max())
    edges = np.linspace(low, high, bins + 1)
    place = np.clip(np.searchsorted(edges, stol, side="right") - 1, 0, bins - 1)
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place, minlength=bins)
    table = []
    for number, part in enumerate(np.split(F[order], np.cumsum(counts)[:-1])):
        if part.size >= min(_FEWEST, stol.size):
            table.append((float((edges[number] + edges[number + 1]) / 2.0), float(np.median(part)), int(part.size)))
    if not table:
        raise InputError(f"-bins: none of the {bins} bins holds {_FEWEST} pixels; take fewer")
    ends = [(reach[0] * (1.0 - 1e-4), *table[0][1:]), (reach[1] * (1.0 + 1e-4), *table[-1][1:])]
    return [ends[0], *table, ends[1]]
