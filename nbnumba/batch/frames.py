"""Images of a series as files of their own, one each, for programs that read no NXmx."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from ..experiment.geometry import Geometry
from ..experiment.ground_truth import GroundTruth
from ..experiment.model import Experiment
from ..imagefiles import registry
from ..imagefiles.headers import header_warnings
from ..imagefiles.records import ImageRecord, SaveOptions
from ..imagefiles.save import write_images
from ..imagefiles.smv import style_of
from ..io.nexus import file as nexus_file
from ..io.nexus import layout
from ..util.messages import logger, muted
from .names import Names
from .spec_model import Spec
from .stored import PEDESTAL, write_frame_digests

if TYPE_CHECKING:
    import h5py

_FORMS = {"cbf": registry.CBF, "img": registry.SMV}


class FrameWriter:
    """Writes images into files of their own, and beside them an HDF5 file of what else is known; a context manager.

    The HDF5 file holds the ground truth, and a checksum of every other file; it appears when the block ends without
    an exception.

    Parameters
    ----------
    path : Path
        The HDF5 file.
    names : Names
    images : sequence of int
        Their numbers.
    dtype : str
        Of the pixels.
    stated : Experiment
        Its beam and detector stand in the headers of all images.
    """

    def __init__(self, path: Path, names: Names, images: Sequence[int], dtype: str, stated: Experiment) -> None:
        self._path, self._names, self._images, self._dtype, self._stated = path, names, images, dtype, stated
        self._known: list[tuple[Geometry, GroundTruth]] = []
        self._closing = contextlib.ExitStack()
        self._writing: nexus_file.Writing

    def __enter__(self) -> Self:
        self._writing = self._closing.enter_context(nexus_file.written(self._path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if error is not None:
            return self._closing.__exit__(kind, error, traceback)
        with self._closing:
            self._writing.run(self._write_known)
        return None

    def write(self, index: int, pixels: NDArray[Any], experiment: Experiment, truth: GroundTruth) -> None:
        """Write the next image, in their order.

        Raises
        ------
        FileError
            The file cannot be written, or the disk is full.
        """
        assert index == len(self._known)
        image = self._images[index]
        shown = _as_stated(experiment, self._stated)
        top = None if experiment.readout is None else experiment.readout.saturation
        record = ImageRecord(pixels, shown, experiment.crystals[0], truth)
        write_frame(self._path.parent, self._names, image, record, self._dtype, style_of(experiment.semantics), top)
        self._known.append((experiment, truth))

    def add(self, function: Callable[[h5py.File], None]) -> None:
        """Call a function with the open HDF5 file, for what a caller has to add to it."""
        self._writing.run(function)

    def _write_known(self, file: h5py.File) -> None:
        from ..imagefiles.nexus import truth_columns

        group = file.require_group(layout.TRUTH)
        for name, column in truth_columns(self._known, self._stated).items():
            layout.write_column(group, name, column)
        folder = self._path.parent
        write_frame_digests(file, [folder / str(self._names.frame(image)) for image in self._images])


def _as_stated(experiment: Experiment, stated: Experiment) -> Experiment:
    """Return an image's experiment with the beam and the detector that all headers state; its pixels are masked."""
    own = experiment.beam
    beam = replace(stated.beam, exposure=own.exposure, flux=own.flux)
    pairs = zip(stated.detector.panels, experiment.detector.panels, strict=True)
    panels = tuple(replace(panel, mask=masked.mask, gaps=masked.gaps) for panel, masked in pairs)
    return replace(experiment, beam=beam, detector=replace(stated.detector, panels=panels))


def note_headers(spec: Spec, stated: Experiment) -> None:
    """Say what the headers of files with one image each cannot tell, once for all of them."""
    style = style_of(stated.semantics)
    if spec.series is None or not spec.names.has_frames or (spec.series.form == "img" and style == "c"):
        return
    kind = {"cbf": "CBF", "img": "SMV"}[spec.series.form]
    for line in header_warnings(stated.detector, stated.beam.direction, kind, stated.goniometer):
        logger.warning(f"{line}; XDS.INP and {spec.names.truth} tell it")


def write_frame(
    folder: Path, names: Names, image: int, record: ImageRecord, dtype: str, style: str, top: int | None
) -> None:
    """Write an image into a file of its own.

    The header tells a time that follows from the number of the image, so that its bytes do not depend on the day.

    Raises
    ------
    FileError
        The file cannot be written, or the disk is full.
    """
    assert names.series is not None
    begun = timedelta(seconds=max(record.geometry.beam.exposure, 0.0) * image)
    options = SaveOptions(
        dtype=dtype,
        adc=PEDESTAL,
        smv_header=style,
        saturation=top,
        moment=datetime.fromtimestamp(0, UTC) + begun,
    )
    with muted():  # `note_headers` has said it
        write_images(_FORMS[names.series.form], str(folder / str(names.frame(image))), [record], 1, options)
