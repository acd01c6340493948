"""Noise for a whole batch or series that is stored without: its files, and all that stands beside them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..detector.model import Detector
from ..errors import FileError, InputError
from ..experiment.command_line import given_as
from ..experiment.geometry import Geometry
from ..experiment.geometry_only import build_geometry
from ..geometry.vectors import Array
from ..imagefiles import nexus_read, pixel_truth
from ..imagefiles.crystfel_xds import write_xds_inp
from ..imagefiles.smv import style_of
from ..imagefiles.spots import GROUP as SPOT_GROUP
from ..io.atomic import reason, whole_file
from ..io.nexus import file as nexus_file
from ..io.nexus.layout import DATA, TRUTH
from ..io.nexus.master import write_master
from ..io.nexus.read import columns
from ..parameters.choices import Semantics
from ..parameters.command import CommandLine
from ..parameters.fill import filled
from ..parameters.parser import given_of
from ..parameters.table import SUBJECT_OF
from ..util.messages import muted
from ..util.text import counted
from . import folder as state
from . import labels, record
from .contact_sheet import MOST_IMAGES
from .frames import write_frame
from .labels import Labels
from .names import DTYPES, LABELS, SHEET, XDS, Names
from .sheet import Shot, write_sheet
from .stored import frame_pixels, write_frame_digests
from .stored_noise import DTYPE, Terms, add_noise
from .truth_expt import trusted_range
from .verify import names_of, sizes_of

# What headers state beside the place of the detector, and an NXmx file does not.
_SENSOR = "Detector: pixels and sensor"
_STATED = {"exposure_s", "flux", "beamsize_mm", "polarization", "polarized"}


@dataclass(frozen=True, eq=False)
class _Noisy:
    """A folder with noise in the making.

    Attributes
    ----------
    source, folder : Path
        The stored images, and those with noise.
    before, names : Names
        What their files are called.
    count, each : int
        Images, and images in a file.
    terms : Terms
    mark : str
        Stands for the new batch in its files.
    """

    source: Path
    folder: Path
    before: Names
    names: Names
    count: int
    each: int
    terms: Terms
    mark: str

    def images_of(self, number: int) -> range:
        """Return the images of a file."""
        return range(number * self.each, min((number + 1) * self.each, self.count))


def add_noise_to_folder(
    source: Path, target: Path, terms: Terms, progress: Callable[[float], None] | None = None
) -> None:
    """Draw noise on the images of a batch, or of all sweeps of a series; the new folder appears when it is whole.

    It holds what a batch or series with this noise would hold: files in the format of the series, labels, what shows
    all images, and checksums.

    Raises
    ------
    InputError
        The folder holds no batch, or not its expected photons; the other one exists; the format holds other numbers.
    FileError, InputError
        As `add_noise`.
    """
    sweeps = [""]
    if not (source / state.STATE).exists():
        sweeps = sorted(path.parent.name for path in source.glob(f"*/{state.STATE}"))
    if not sweeps:
        raise InputError(
            f"{source}: holds no batch: there is no {state.STATE}; the command of the batch with --resume makes it"
        )
    _check_new(target)
    with _new_folder(target) as folder:
        for number, sweep in enumerate(sweeps):

            def report(fraction: float, number: int = number) -> None:
                if progress is not None:
                    progress((number + fraction) / len(sweeps))

            (folder / sweep).mkdir(exist_ok=True)
            _draw(source / sweep, folder / sweep, terms, report)


def _draw(source: Path, folder: Path, terms: Terms, report: Callable[[float], None]) -> None:
    """Draw noise on a batch or a sweep."""
    identity = state.read_state(source)
    assert identity is not None
    count, each = sizes_of(source, identity)
    before = names_of(identity, count)
    if before.has_frames:
        raise InputError(
            f"{source}: holds whole numbers of photons; noise needs expected photons, which a series keeps with noise "
            '= false and dtype = "float32"'
        )
    series = None if before.series is None else replace(before.series, photons=False)
    names = replace(before, series=series)
    terms = replace(terms, dtype=_dtype(names, terms.dtype))
    new = _identity(identity, names, terms)
    noisy = _Noisy(source, folder, before, names, count, each, terms, state.fingerprint(new))
    with state.opened_log(folder) as log:
        log(f"noise on {source}: {shlex.join(terms.words) or 'of the batch'}")
        readout = None
        for number in range(-(-count // each)):
            chunk = before.chunk(number)
            readout = add_noise(
                source / chunk,
                folder / chunk,
                terms,
                lambda fraction, number=number: report((number + fraction) * each / count),  # type: ignore[misc]
                noisy.mark,
            )
            if names.has_frames:
                _write_frames(noisy, number, None if readout is None else readout.saturation)
        state.write_state(folder, new)
        _write_products(noisy, None if readout is None else readout.saturation)
        log(f"complete: {counted(count, 'image')}")
    record.write(folder, (*names.products, *names.frames))


def _dtype(names: Names, asked: str | None) -> str:
    """Return the numbers that files hold."""
    if names.series is None:
        return asked or DTYPE
    form = names.series.form
    if names.has_frames and asked not in (None, DTYPES[form]):
        raise InputError(f"-dtype {asked}: files of format {form} hold {DTYPES[form]}")
    return asked or DTYPES[form]


def _identity(before: dict[str, Any], names: Names, terms: Terms) -> dict[str, Any]:
    """Return what the images with noise depend on."""
    spec = before["spec"] | {"noise": True, "noise_rng": terms.rng, "dtype": terms.dtype}
    spec["series"] = None if names.series is None else asdict(names.series)
    return before | {"spec": spec, "drawn_later": {"terms": list(terms.words), "seed": terms.seed}}


def _write_frames(noisy: _Noisy, number: int, saturation: int | None) -> None:
    """Write the images of a file into files of their own, and what else is known of them; the file goes."""
    folder, names, images = noisy.folder, noisy.names, noisy.images_of(number)
    path = folder / noisy.before.chunk(number)
    assert noisy.terms.dtype is not None
    stated = _stated(path)
    with nexus_file.read(path) as file:
        # In the laboratory of the command, which headers tell too.
        A, U = (columns(file)[name].values for name in ("A_matrix", "U_matrix"))
    for index, (image, shown) in enumerate(zip(images, nexus_read.read(str(path), CommandLine()), strict=True)):
        assert shown.truth.A_matrix is not None
        detector = _with_origin(stated.detector, np.asarray(A[index]) @ np.linalg.inv(shown.truth.A_matrix))
        geometry = replace(stated, detector=detector, goniometer=shown.geometry.goniometer)
        style = style_of(Semantics(str(shown.truth.semantics)))
        truth = replace(shown.truth, A_matrix=np.asarray(A[index]), U_matrix=np.asarray(U[index]))
        one = replace(shown, geometry=geometry, truth=truth, name="")
        write_frame(folder, names, image, one, noisy.terms.dtype, style, saturation)
    frames = [folder / str(names.frame(image)) for image in images]
    with nexus_file.read(path) as file, nexus_file.written(folder / names.chunk(number)) as writing:
        known = [
            label | {"file": frame.name, "index": 0}
            for label, frame in zip(labels.read_from(file), frames, strict=True)
        ]
        writing.run(lambda new: file.copy(TRUTH, new.require_group("/entry")))
        for group in (SPOT_GROUP, pixel_truth.GROUP):
            if group in file:
                writing.run(lambda new, group=group: file.copy(group, new))  # type: ignore[misc]
        writing.run(lambda new: labels.write_into(new, known, noisy.mark))
        writing.run(lambda new: write_frame_digests(new, frames))
    path.unlink()


def _with_origin(detector: Detector, turn: Array) -> Detector:
    """Return a detector with the origin that SMV headers have for DIALS: in the laboratory of the command."""
    x, y, z = (float(value) for value in 1e3 * turn @ detector.panels[0].origin)
    return replace(detector, center=replace(detector.center, dials_origin_mm=(z, y, -x)))


def _stated(path: Path) -> Geometry:
    """Return beam and detector as an NXmx file states them, in its frame."""
    with nexus_file.read(path) as file:
        command = columns(file)["command"].values[0]
    given = [
        item
        for item in given_of(shlex.split(str(command)))
        if SUBJECT_OF[item.parameter.name] == _SENSOR or item.parameter.name in _STATED
    ]
    with muted():
        return build_geometry(filled([given_as("geometry", str(path)), *given], []).settings())[0]


def _write_products(noisy: _Noisy, saturation: int | None) -> None:
    """Write what stands beside the images."""
    folder, source, names = noisy.folder, noisy.source, noisy.names
    paths = [folder / names.chunk(number) for number in range(-(-noisy.count // noisy.each))]
    if names.master is not None:
        write_master(folder / names.master, paths, scan=names.series is not None, maps=pixel_truth.MAPS)
    known = list(_all_labels(paths))
    labels.write_csv(folder / LABELS, known)
    write_sheet(folder / SHEET, _shots(noisy, known))
    if names.table is not None:
        shutil.copyfile(source / names.table, folder / names.table)
    if names.series is not None:
        _write_rotation(noisy, saturation)


def _all_labels(paths: Sequence[Path]) -> Iterator[Labels]:
    for path in paths:
        with nexus_file.read(path, images=False) as file:
            yield from labels.read_from(file)


def _shots(noisy: _Noisy, known: Sequence[Labels]) -> Iterator[Shot]:
    """Yield the first images, as they were stored but for their pixels."""
    for number in range(-(-min(noisy.count, MOST_IMAGES) // noisy.each)):
        images = noisy.images_of(number)
        stored = nexus_read.read(str(noisy.source / noisy.before.chunk(number)), CommandLine())
        for image, shown in zip(images, stored, strict=True):
            if image == MOST_IMAGES:
                return
            blank = shown.crystal is None or known[image].get("hit", 1) == 0
            yield Shot(_pixels(noisy, image), shown.geometry, [] if blank else [shown.crystal])  # type: ignore[list-item]


def _pixels(noisy: _Noisy, image: int) -> Any:
    frame = noisy.names.frame(image)
    if frame is not None:
        return frame_pixels(noisy.folder / frame)
    with nexus_file.read(noisy.folder / noisy.names.chunk(image // noisy.each)) as file:
        return file[DATA][image % noisy.each]


def _write_rotation(noisy: _Noisy, saturation: int | None) -> None:
    """Write XDS.INP and the truth for DIALS, as the stored series has them but for the numbers that pixels hold."""
    folder, source, names, dtype = noisy.folder, noisy.source, noisy.names, noisy.terms.dtype
    assert dtype is not None
    first = noisy.source / noisy.before.chunk(0)
    shown = next(nexus_read.read(str(first), CommandLine(), only=0))
    if len(shown.geometry.detector.panels) > 1:
        shutil.copyfile(source / XDS, folder / XDS)
    else:
        geometry = replace(_stated(first), goniometer=shown.geometry.goniometer)
        with muted():
            write_xds_inp(
                folder / XDS,
                geometry,
                shown.crystal,
                names.images,
                images=noisy.count,
                dtype=dtype,
                saturation=saturation,
            )
    try:
        truth = json.loads((source / names.truth).read_text(encoding="utf-8"))
        for panel in truth["detector"][0]["panels"]:
            panel["trusted_range"] = list(trusted_range(dtype, saturation))
    except OSError as error:
        raise FileError(f"{source / names.truth}: cannot be read: {reason(error)}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"{source / names.truth}: damaged: {error}") from None
    with whole_file(folder / names.truth) as file:
        file.write(json.dumps(truth, indent=1).encode())


def _check_new(target: Path) -> None:
    try:
        target.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise FileError(f"-o {target}: the folder cannot be made: {reason(error)}") from error
    raise InputError(f"-o {target}: exists; give the name of a new folder")


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """Make a folder that takes its name when the block ends without an exception."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=".nbnumba-", dir=target.absolute().parent))
    except OSError as error:
        raise FileError(f"-o {target}: the folder cannot be made: {reason(error)}") from error
    try:
        yield folder
        umask = os.umask(0)
        os.umask(umask)
        folder.chmod(0o777 & ~umask)
        folder.rename(target)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise FileError(f"-o {target}: cannot be written: {reason(error)}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
