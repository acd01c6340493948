"""Noise for images that are stored without: the same as if it had been drawn when they were rendered."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..detector.model import Detector, Panel
from ..errors import InputError, called
from ..experiment.ground_truth import readout_text
from ..experiment.readout import build_readout, with_gaps
from ..imagefiles import nexus_read, pixel_truth
from ..imagefiles.nexus import NO_NUMBER
from ..io.nexus import file as nexus_file
from ..io.nexus import layout
from ..io.nexus.layout import DATA, DETECTOR, TRUTH, Column
from ..io.nexus.read import columns, read_image
from ..kernels.types import available_threads
from ..parameters.command import CommandLine
from ..parameters.fill import filled
from ..parameters.given import Given
from ..parameters.parser import given_of
from ..parameters.presets import PRESETS
from ..parameters.settings import Settings
from ..parameters.table import NANOBRAGG, SUBJECT_OF
from ..readout.digitize import SATURATION, largest_good
from ..readout.drawn import drawn_pixels
from ..readout.model import Readout
from . import labels
from .labels import Labels
from .sample import noise_seed_c

if TYPE_CHECKING:
    import h5py

READOUT = "Detector: readout"
DTYPE = "uint16"  # where nothing else is said
_ALSO = {"exposure_s"}


@dataclass(frozen=True)
class Terms:
    """What is to be added to stored images.

    Attributes
    ----------
    given : tuple of Given
        Of the readout; they win over those that the images were rendered with.
    seed : int or None
        None: that of the batch, so that the noise is what it would have drawn.
    rng : {"counter", "c"}
    dtype : str or None
        Of the pixels that are written; None: as of what they are drawn for, by default "uint16".
    """

    given: tuple[Given, ...]
    seed: int | None
    rng: str
    dtype: str | None
    _known: dict[tuple[str, ...], Settings] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, command: CommandLine, dtype: str | None) -> Terms:
        """Return what the options of a command line say."""
        given = tuple(item for item in command.given if is_term(item))
        return cls(
            given, command.output.seed, command.output.noise_rng if command.gives("noise_rng") else "counter", dtype
        )

    def settings(self, command: str, folder: Path) -> Settings:
        """Return the settings of the readout of an image that a command line draws; its files start in a folder."""
        stored = [item.inside(folder) for item in given_of(shlex.split(command)) if is_term(item)]
        key = NANOBRAGG.words(stored)
        if key not in self._known:
            self._known[key] = filled([*stored, *self.given], []).settings()
        return self._known[key]

    @property
    def words(self) -> tuple[str, ...]:
        """The options, files by their whole paths."""
        return NANOBRAGG.words([item.inside(Path.cwd()) for item in self.given])


def is_term(item: Given) -> bool:
    """Tell whether a parameter says what a detector does to an image."""
    return SUBJECT_OF[item.parameter.name] == READOUT or item.parameter.name in _ALSO


def add_noise(
    source: Path,
    target: Path,
    terms: Terms,
    progress: Callable[[float], None] | None = None,
    batch: str | None = None,
) -> Readout | None:
    """Draw noise on the images of a file, and write them with all that the file says of them.

    Parameters
    ----------
    source : Path
        An NXmx file of nbnumba that holds expected photons; one that shows the images of others will do.
    target : Path
        Appears when it is whole.
    terms : Terms
    progress : callable, optional
        Receives the fraction done.
    batch : str, optional
        What stands for the batch of the images; by default it follows from that of the stored ones and the terms.

    Returns
    -------
    Readout or None
        What the detector does to the first image.

    Raises
    ------
    InputError
        For images that are no expected photons, or a readout that their detector cannot have.
    FileError
        A file cannot be read or written, or the disk is full.
    """
    truth = _checked_truth(source)
    known = _labels_of(source)
    dtype = terms.dtype or DTYPE
    with nexus_file.read(source) as file:
        count = int(file[DATA].shape[0])
    _check_seeds(source, terms, known)
    detector = next(nexus_read.read(str(source), CommandLine(), only=0)).geometry.detector
    rows: list[_Noisy] = []
    with nexus_file.read(source) as stored, nexus_file.written(target) as writing:
        data = writing.run(_copy, stored, target, dtype)
        masked: Panel | None = None
        for index in range(count):
            label = known[index] if known else {}
            image = _with_noise(source, stored, index, truth, label, terms, detector)
            masked = image.masked
            rows.append(image)
            writing.run(_write_image, data, index, image.pixels)
            rows[-1] = replace(image, pixels=np.zeros(0), masked=None)
            if progress is not None:
                progress((index + 1) / count)
        writing.run(_write_truth, truth, terms, rows)
        writing.run(_write_detector, masked, dtype, rows[0].readout)
        if known:
            noisy = [_relabeled(label, image, dtype) for label, image in zip(known, rows, strict=True)]
            mark = batch or _batch_of(source, terms)
            writing.run(lambda file: labels.write_into(file, noisy, mark))
    return rows[0].readout


@dataclass(frozen=True, eq=False)
class _Noisy:
    """An image with noise, and what is known of it."""

    pixels: NDArray[Any]
    expected: float
    total: float
    maximum: float
    clipped: int
    seed: int
    number: int | None
    readout: Readout | None
    masked: Panel | None


def _checked_truth(source: Path) -> dict[str, Column]:
    """Return the ground truth of a file of expected photons."""
    with nexus_file.read(source) as file:
        dtype = file[DATA].dtype
        truth = columns(file)
    if not truth:
        raise InputError(f"{source}: holds no ground truth of nbnumba; noise is drawn on images that it has rendered")
    seeds = truth["noise_seed"]
    if np.any(np.asarray(seeds.values) != (NO_NUMBER if seeds.missing is None else seeds.missing)):
        raise InputError(f"{source}: its images have noise already")
    if dtype.kind != "f":
        raise InputError(f'{source}: holds {dtype}; noise needs expected photons, as of dtype = "float32"')
    return truth


def _labels_of(source: Path) -> list[Labels]:
    """Return the labels of a file, or of those whose images it shows; none where there are none."""
    with nexus_file.read(source) as file:
        if labels.GROUP in file:
            return labels.read_from(file)
        if not file[DATA].is_virtual:
            return []
        members = [item.file_name.replace("%%", "%") for item in file[DATA].virtual_sources()]
    return [label for member in members for label in _labels_of(source.parent / member)]


def _check_seeds(source: Path, terms: Terms, known: Sequence[Labels]) -> None:
    if terms.seed is None and not known:
        raise InputError(f"{source}: states no seed, as the files of batches do; give {called('seed')} N")
    if terms.seed is not None and terms.seed < 0 and terms.rng == "c":
        raise InputError(f"{called('seed')} {terms.seed}: allowed with {called('noise_rng')} c: at least 0")


def _with_noise(
    source: Path,
    stored: h5py.File,
    index: int,
    truth: dict[str, Column],
    label: Labels,
    terms: Terms,
    detector: Detector,
) -> _Noisy:
    """Draw the noise of one image."""
    dtype = terms.dtype or DTYPE
    command = truth["command"].values[index]
    settings = terms.settings(str(command), source.absolute().parent)
    readout = build_readout(settings, detector)
    panels = read_image(source, index)
    preset = settings.readout.detector_preset
    if preset is not None and PRESETS[preset].size != panels[0].shape[::-1]:
        n_slow, n_fast = panels[0].shape
        raise InputError(f"{source}: has {n_fast} x {n_slow} pixels, {called('detector_preset')} {preset} has others")
    masked = with_gaps(settings, detector, readout).panels[0]
    mask = masked.mask
    photons = np.zeros((len(panels), *np.max([panel.shape for panel in panels], axis=0)), dtype=np.float32)
    for place, panel in zip(photons, panels, strict=True):
        place[: panel.shape[0], : panel.shape[1]] = panel
    if not np.all(np.isfinite(photons)):
        raise InputError(f"{source}: image {index} is missing, or holds numbers that are none")
    if mask is not None:
        photons[0][~mask] = 0.0
    image = int(label.get("image", index))
    base_seed = int(label["seed"]) if terms.seed is None else terms.seed
    seed, number = (base_seed, image) if terms.rng == "counter" else (noise_seed_c(base_seed, image), None)
    whole = photons[0] if len(panels) == 1 else photons
    pixels, clipped = drawn_pixels(whole, dtype, seed, number, readout, threads=available_threads())
    stacked = np.zeros(stored[DATA].shape[1:], dtype=dtype)
    first = 0
    for panel, part in zip(panels, pixels.reshape(photons.shape), strict=True):
        n_slow, n_fast = panel.shape
        stacked[first : first + n_slow, :n_fast] = part[:n_slow, :n_fast]
        first += n_slow
    wide = np.float64 if pixels.dtype.kind == "f" else np.int64
    total, maximum = pixels.sum(dtype=wide).item(), pixels.max().item()
    expected = float(whole.sum(dtype=np.float64))
    return _Noisy(stacked, expected, total, maximum, clipped, seed, number, readout, masked)


def _copy(file: h5py.File, stored: h5py.File, target: Path, dtype: str) -> h5py.Dataset:
    """Copy all but the images, their truth and their labels; return the dataset of the images."""
    for name, value in stored.attrs.items():
        file.attrs[name] = value
    file.attrs["file_name"] = target.name
    entry = file.create_group("/entry")
    for name, value in stored["/entry"].attrs.items():
        entry.attrs[name] = value
    for name in stored["/entry"]:
        if f"/entry/{name}" not in ("/entry/data", TRUTH):
            stored.copy(f"/entry/{name}", entry)
    for name in stored:
        if name == pixel_truth.GROUP:
            _copy_maps(file, stored)
        elif name not in ("entry", labels.GROUP):
            stored.copy(name, file)
    group = entry.create_group("data")
    for name, value in stored["/entry/data"].attrs.items():
        group.attrs[name] = value
    count, *shape = stored[DATA].shape
    return layout.create_data(file, count, (shape[0], shape[1]), dtype)


def _copy_maps(file: h5py.File, stored: h5py.File) -> None:
    """Copy what every pixel shows, out of the files of which a master shows it too."""
    maps = stored[pixel_truth.GROUP]
    count = len(stored[DATA])
    for index in range(count):
        pixel_truth.write_into(file, index, count, {name: maps[name][index] for name in pixel_truth.EMPTY})


def _write_image(file: h5py.File, data: h5py.Dataset, index: int, pixels: NDArray[Any]) -> None:
    data[index] = pixels


def _write_truth(file: h5py.File, truth: dict[str, Column], terms: Terms, rows: Sequence[_Noisy]) -> None:
    group = file.create_group(TRUTH)
    group.attrs["NX_class"] = "NXcollection"
    numbers = [NO_NUMBER if row.number is None else row.number for row in rows]
    more = f" {shlex.join(terms.words)}" if terms.words else ""
    changed = {
        "noise_seed": Column(np.array([row.seed for row in rows])),
        "noise_rng": Column([terms.rng] * len(rows)),
        "noise_number": Column(np.array(numbers), None, NO_NUMBER if NO_NUMBER in numbers else None),
        "readout": Column([readout_text(row.readout) or "" for row in rows]),
        "command": Column([f"{text}{more}" if text else "" for text in truth["command"].values]),
    }
    for name, column in (truth | changed).items():
        layout.write_column(group, name, column)


def _write_detector(file: h5py.File, masked: Panel | None, dtype: str, readout: Readout | None) -> None:
    """State the largest good value, and pixels that are masked now."""
    detector = file[DETECTOR]
    if dtype in SATURATION:
        top = SATURATION[dtype] if readout is None else min(readout.top, SATURATION[dtype])
        if "saturation_value" in detector:
            del detector["saturation_value"]
        detector["saturation_value"] = largest_good(top)
    if masked is not None and masked.mask is not None:
        pixel_mask = detector["detectorSpecific/pixel_mask"]
        values = pixel_mask[()]
        values[~masked.mask & (values == 0)] = layout.USER_MASK
        if masked.gaps is not None:
            values[masked.gaps] = layout.GAP
        pixel_mask[...] = values


def _relabeled(label: Labels, image: _Noisy, dtype: str) -> Labels:
    """Return the labels of an image with those of its noise, in the order of a batch with noise."""
    found: Labels = {}
    number = {} if image.number is None else {"noise_number": image.number}
    for name, value in label.items():
        found[name] = value
        if name == "seed":
            found |= {"noise_seed": image.seed, **number}
    kind = float if dtype == "float32" else int
    return found | {
        "expected_photons": image.expected,
        "total_photons": kind(image.total),
        "maximum": kind(image.maximum),
        "clipped_pixels": image.clipped,
    }


def _batch_of(source: Path, terms: Terms) -> str:
    """Return what stands for these images with this noise."""
    with nexus_file.read(source) as file:
        before = str(file[labels.GROUP].attrs["batch"]) if labels.GROUP in file else source.name
    said = repr((before, terms.words, terms.seed, terms.rng, terms.dtype))
    return hashlib.sha256(said.encode()).hexdigest()
