"""Images of a series as files of their own, one each, for programs that read no NXmx."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..experiment.ground_truth import GroundTruth, ground_truth
from ..experiment.model import Experiment
from ..imagefiles import registry
from ..imagefiles.records import ImageRecord, SaveOptions
from ..imagefiles.save import write_images
from ..imagefiles.smv import style_of
from ..io.nexus import file as nexus_file
from ..io.nexus.checksums import check_images
from ..io.nexus.layout import DATA
from ..util.messages import muted
from . import labels
from .drawn import Draw
from .reference import Base
from .sample import draw, image_experiment, image_words
from .spec_model import Spec

PEDESTAL = 40.0  # of SMV images, as nanoBragg adds it: readers take pixels of 0 for bad ones
_FORMS = {"cbf": registry.CBF, "img": registry.SMV}


def image_truth(
    spec: Spec, base: Base, drawn: Draw, experiment: Experiment, backend: str, precision: str
) -> GroundTruth:
    """Return what is known of a rendered image."""
    return ground_truth(
        experiment,
        command=image_words(base, drawn),
        backend=backend,
        precision=precision,
        noise_seed=drawn.noise_seed,
        noise_rng=spec.noise_rng if spec.noise else None,
        noise_number=drawn.noise_number,
    )


def write_frame(
    folder: Path, spec: Spec, image: int, pixels: NDArray[Any], experiment: Experiment, truth: GroundTruth
) -> None:
    """Write an image into a file of its own, where the series has such files.

    Raises
    ------
    FileError
        The file cannot be written, or the disk is full.
    """
    name = spec.names.frame(image)
    if name is None or spec.series is None:
        return
    top = None if experiment.readout is None else experiment.readout.saturation
    options = SaveOptions(dtype=spec.dtype, adc=PEDESTAL, smv_header=style_of(experiment.semantics), saturation=top)
    record = ImageRecord(pixels, experiment, experiment.crystals[0], truth)
    with muted():  # what is said of the header was said of the first image
        write_images(_FORMS[spec.series.form], str(folder / name), [record], 1, options)


def write_frames_again(folder: Path, spec: Spec, base: Base, images: Sequence[int]) -> None:
    """Write images into files of their own once more, from the NXmx files.

    Raises
    ------
    FileError
        A file cannot be read or written.
    """
    for image in images:
        chunk = folder / spec.names.chunk(image // spec.images_per_file)
        with nexus_file.read(chunk) as file:
            index = image % spec.images_per_file
            check_images(file[DATA], range(index, index + 1))
            pixels = file[DATA][index]
            known = labels.read_from(file)[index]
        drawn = draw(spec, base, image)
        experiment = image_experiment(base, drawn)
        truth = image_truth(spec, base, drawn, experiment, str(known["backend"]), str(known["precision"]))
        write_frame(folder, spec, image, pixels, experiment, truth)
