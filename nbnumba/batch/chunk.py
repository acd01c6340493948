"""One file of a batch: its images drawn, rendered and written."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..errors import NbnumbaError
from ..experiment.ground_truth import A_matrix, GroundTruth
from ..experiment.model import Experiment
from ..imagefiles import pixel_truth, spots
from ..imagefiles.pixel_truth import Maps
from ..imagefiles.spots import Table
from ..io.contents import read_once
from ..io.temporary import writing_for
from ..kernels.types import available_threads
from ..readout.digitize import SATURATION
from ..util.messages import Notify, logger, muted, notices_only_to
from ..util.signals import wait_for_any
from . import labels, machine
from .executors.resources import own_share
from .frames import FrameWriter
from .inputs import Digests
from .labels import Labels
from .reference import Base, base_of
from .sample import changes_of, draw, image_experiment, image_truth, stated_geometry, with_texts
from .spec_model import Spec
from .stored import is_whole

if TYPE_CHECKING:
    from ..imagefiles.nexus import NexusWriter
    from ..readout.model import Readout
    from ..render.renderer import Renderer

_MEMORY_SHARE = 0.5  # of the free memory, for images under way
_BYTES_PER_PIXEL = 48  # of an image under way, working memory included

LATCH = (
    "interpolation latch: as C, samples beyond the table's range switched interpolation off for the rest of their "
    'images; semantics = "exact" draws them right'
)

Pixels = NDArray[Any]


@dataclass(frozen=True)
class ChunkTask:
    """A file to be made; can be pickled.

    Attributes
    ----------
    spec : Spec
        With the rows of its table that this file needs.
    output : str
        Folder, absolute.
    number : int
        Of the file; 0 is the first.
    fingerprint : str
        Stands for the SPEC and the files that it names.
    digests : dict of str to str
        Of these files.
    """

    spec: Spec
    output: str
    number: int
    fingerprint: str
    digests: Digests

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.output) / self.spec.names.chunk(self.number)


@dataclass(frozen=True)
class ChunkResult:
    """What became of a file, in short.

    Attributes
    ----------
    seconds : float
        Wall time.
    ran : dict
        Host, backend, precision, instruction set and versions.
    notices : tuple of str
    """

    number: int
    file: str
    images: int
    seconds: float
    ran: dict[str, str]
    notices: tuple[str, ...]


class Watch:
    """Callables of this process: one for every image that is written, one for every notice."""

    def __init__(self) -> None:
        self.on_image: Callable[[], None] | None = None
        self.notify: Notify | None = None


watch = Watch()
_loaded: set[str] = set()  # fingerprints of the batches whose compiled code this process has


class _Stopped(Exception):
    """The file is given up; what is under way ends."""


@dataclass(frozen=True, eq=False)
class Shot:
    """An image of a batch, ready to be written."""

    pixels: Pixels
    experiment: Experiment
    truth: GroundTruth
    labels: Labels
    spots: Table | None
    maps: Maps | None = None


def render_chunk(task: ChunkTask) -> ChunkResult:
    """Make a file of images; it appears under its name only when it is whole.

    Several images are rendered at once, each by its share of the threads, while those before them are written. The
    bytes of an image depend neither on their number nor on the threads.

    Raises
    ------
    InputError
        When an image cannot be drawn.
    FileError
        When a file cannot be read or written, or the disk is full.
    DeviceError
        When a device that was asked for fails.
    """
    start = time.perf_counter()
    notices: list[str] = []

    def receive(line: str) -> None:
        if line not in notices:
            notices.append(line)
            if watch.notify is not None:
                watch.notify(line)

    # Its notices have been logged by the process that hands out the files.
    with muted():
        base = base_of(task.spec, task.fingerprint, task.digests)
    with notices_only_to(receive):
        rows = _write(task, base, _Maker(task, base))
    columns = ("backend", "precision", "instruction_set", *machine.versions())
    ran = {name: " and ".join(dict.fromkeys(str(row[name]) for row in rows)) for name in columns}
    seconds = time.perf_counter() - start
    return ChunkResult(task.number, task.path.name, len(rows), seconds, {"host": machine.host(), **ran}, tuple(notices))


def _write(task: ChunkTask, base: Base, maker: _Maker) -> list[Labels]:
    """Write the file and return the labels of its images."""
    rows: list[Labels] = []
    tables: list[Table] = []
    images = task.spec.images_of(task.number)
    # Where each image has a file of its own, the file that is made last speaks for them all.
    with (
        writing_for(task.fingerprint, lambda _: is_whole(task.path, images, task.fingerprint) is None),
        _writer(task, base, images) as writer,
        closing(maker.shots(images)) as shots,
    ):
        for index, shot in enumerate(shots):
            writer.write(index, shot.pixels, shot.experiment, shot.truth)
            rows.append(shot.labels)
            if shot.maps is not None:
                maps = shot.maps
                writer.add(lambda file, index=index, maps=maps: pixel_truth.write_into(file, index, len(images), maps))  # type: ignore[misc]
            if shot.spots is not None:
                tables.append(shot.spots)
            if watch.on_image is not None:
                watch.on_image()
        writer.add(lambda file: labels.write_into(file, rows, task.fingerprint))
        if tables:
            writer.add(lambda file: spots.write_into(file, spots.joined(tables)))
    return rows


def _writer(task: ChunkTask, base: Base, images: range) -> NexusWriter | FrameWriter:
    """Return what writes images, into the file itself or each into one of its own."""
    from ..imagefiles.nexus import NexusWriter

    spec = task.spec
    stated = stated_geometry(spec, base, images)
    if spec.names.has_frames:
        return FrameWriter(task.path, spec.names, images, spec.dtype, stated)
    return NexusWriter(
        task.path,
        stated,
        len(images),
        spec.dtype,
        saturation=_top(spec, base.experiment.readout),
        scan=spec.series is not None,
        one_laboratory=True,
    )


def _top(spec: Spec, readout: Readout | None) -> int | None:
    """Return the largest value of a pixel, where the readout and not the dtype decides."""
    if readout is None or not spec.noise or spec.dtype == "float32":
        return None
    return min(readout.top, SATURATION[spec.dtype])


class _Maker:
    """Makes the images of one file, several at once."""

    def __init__(self, task: ChunkTask, base: Base) -> None:
        share = own_share()
        self._task = task
        self._base = base
        self._device = share.device
        self._threads = share.threads or _all_threads()
        self._stop = threading.Event()

    def shots(self, images: Sequence[int]) -> Generator[Shot, None, None]:
        """Yield the images in their order; what is under way ends when the iteration does."""
        from ..render.renderer import Renderer

        width = self._width(len(images))
        spec = self._task.spec
        renderer = Renderer(
            self._backend(), max(1, self._threads // width), precision=spec.precision, device=self._device
        )
        if self._task.fingerprint not in _loaded:
            self._warm_up(renderer, images[0])
            _loaded.add(self._task.fingerprint)
        waiting: deque[Future[Shot]] = deque()
        with ThreadPoolExecutor(width, thread_name_prefix="shot") as pool:
            try:
                for image in images:
                    waiting.append(pool.submit(copy_context().run, self._shot, renderer, image))
                    if len(waiting) > width:
                        wait_for_any([waiting[0]])
                        yield waiting.popleft().result()
                while waiting:
                    wait_for_any([waiting[0]])
                    yield waiting.popleft().result()
            finally:
                self._stop.set()
                for future in waiting:
                    future.cancel()

    def _warm_up(self, renderer: Renderer, image: int) -> None:
        """Load the compiled code, or compile, in the thread that receives Ctrl-C: a pixel is rendered."""
        spec = self._task.spec
        drawn = draw(spec, self._base, image)
        experiment = image_experiment(self._base, drawn)
        panel = replace(experiment.detector.panels[0], n_slow=1, n_fast=1, mask=None)
        pixel = replace(
            experiment,
            detector=replace(experiment.detector, panels=(panel,)),
            sampling=replace(experiment.sampling, roi=(0, 0, 0, 0), panel=None),
        )
        rendered = renderer.render(pixel, None, _compiling)
        readout = experiment.readout
        if readout is not None:
            readout = replace(readout, dead_pixels=0, hot_pixels=0)  # there is one pixel here
        to_pixels(rendered.array, spec, drawn.noise_seed, drawn.noise_number, readout)
        spots_and_maps(spec, pixel, 1, image)

    def _backend(self) -> str:
        """Return what to render with; that there is no GPU need not be found out for every image."""
        from ..kernels.cuda import device as cuda_device

        wanted = self._task.spec.backend
        nothing_else = wanted == "auto" and self._device is None and not cuda_device.may_be_there()
        return "cpu" if nothing_else else wanted

    def _width(self, images: int) -> int:
        """Return how many images to render at once."""
        from ..util.memory import free_memory

        pixels = sum(panel.n_slow * panel.n_fast for panel in self._base.experiment.detector.panels)
        free = free_memory()
        fitting = images if free is None else int(_MEMORY_SHARE * free / (_BYTES_PER_PIXEL * pixels))
        return max(1, min(self._threads, images, fitting))

    def _shot(self, renderer: Renderer, image: int) -> Shot:
        """Draw and render one image."""
        self._check(0.0)
        return make_shot(self._task.spec, self._base, renderer, image, device=self._device, check=self._check)

    def _check(self, fraction: float) -> None:
        """End the work on an image that nobody waits for."""
        if self._stop.is_set():
            raise _Stopped


def _compiling() -> None:
    logger.warning(kernels.compiling_line())


def make_shot(
    spec: Spec,
    base: Base,
    renderer: Renderer,
    image: int,
    *,
    device: int | None = None,
    check: Callable[[float], None] | None = None,
) -> Shot:
    """Draw and render one image of a batch.

    Parameters
    ----------
    spec : Spec
    base : Base
    renderer : Renderer
    image : int
    device : int, optional
        Number of the GPU that renders, for the labels.
    check : callable, optional
        Receives the fraction done, and may raise.

    Raises
    ------
    InputError, FileError, DeviceError
        As `render_chunk`.
    """
    drawn = draw(spec, base, image)
    given = changes_of(base, drawn)
    experiment = image_experiment(base, drawn, given)
    try:
        rendered = renderer.render(experiment, check, _compiling)
    except NbnumbaError as error:
        raise type(error)(f"image {image}: {error}") from error
    if check is not None:
        check(1.0)
    if rendered.latch_hkl is not None:
        logger.warning(LATCH)
    expected = float(rendered.array.sum(dtype=np.float64))
    with read_once(with_texts(base, drawn.texts, image).contents):
        pixels, clipped = to_pixels(
            rendered.array, spec, drawn.noise_seed, drawn.noise_number, experiment.readout, rendered.device
        )
    truth = image_truth(spec, base, drawn, experiment, rendered.backend, rendered.precision, given)
    number, index = divmod(image, spec.images_per_file)
    frame = spec.names.frame(image)
    place = (spec.names.chunk(number), index) if frame is None else (frame, 0)
    matrices = [A_matrix(crystal) for crystal in experiment.crystals]
    known = labels.image_labels(spec, drawn, place, truth, matrices, pixels, clipped, expected, device)
    return Shot(pixels, experiment, truth, known, *spots_and_maps(spec, experiment, renderer.threads, image))


def spots_and_maps(
    spec: Spec, experiment: Experiment, threads: int | None, image: int
) -> tuple[Table | None, Maps | None]:
    """Return the table of spots and the maps of an image, where the SPEC asks for them."""
    if not (spec.spots or spec.truth):
        return None, None
    from ..render.pixel_truth import PixelTruth
    from ..render.shares import collect
    from ..render.spot_table import SpotTable

    spots, maps = SpotTable(image), PixelTruth(experiment)
    collect(experiment, threads, *([spots] if spec.spots else []), *([maps] if spec.truth else []))
    return spots.table() if spec.spots else None, maps.maps() if spec.truth else None


def to_pixels(
    photons: NDArray[np.float32],
    spec: Spec,
    seed: int | None,
    number: int | None,
    readout: Readout | None = None,
    device: int | None = None,
) -> tuple[Pixels, int]:
    """Draw the noise of an image, if it is to have any, and make the numbers that the file holds.

    See `nbnumba.readout.drawn.drawn_pixels`.
    """
    from ..readout.drawn import drawn_pixels

    return drawn_pixels(photons, spec.dtype, seed, number, readout, device=device)


def _all_threads() -> int:
    return available_threads()
