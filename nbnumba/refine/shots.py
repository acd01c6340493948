"""Refinements of the images of a file: each is read, fitted and written by itself, wherever that is done."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..background.material import Material
from ..errors import InputError
from ..experiment.model import Experiment
from ..experiment.resolve import resolve
from ..gradients.parameters import Parameters, parameters_of
from ..imagefiles import registry
from ..imagefiles.load import format_of, read
from ..imagefiles.records import Source
from ..io import floatfile
from ..io.contents import read_once
from ..parameters.command import CommandLine
from ..parameters.parser import parse_with_files
from ..util.messages import logger, notices_only_to, progress_bar
from . import page
from .fit import MOST_EVALUATIONS, Fit, Refined, refine
from .report import table_lines, write_expt, write_json

DEFAULT = "misset,cell,N,mosaic_spread,scale,background"
_ALIASES = {"mosaic": "mosaic_spread"}
_SEEN = 0.1  # photons of the starting model from which on a pixel belongs to a spot
_FULL = 65533  # numbers of files of 16 bits that mark pixels


@dataclass(frozen=True)
class Shot:
    """A refinement to be done; can be pickled.

    Attributes
    ----------
    words : tuple of str
        Options that say where to start.
    path : str
        File of the image.
    number : int
        Of the image in it, counted from 0.
    name : str
        Of the results, without an ending.
    free : str
        Names of parameters, with commas.
    bounds, priors : dict
        As of `Fit`.
    shoebox : int or None
        Pixels around the spots of the start that count; None: all.
    most_evaluations : int
    with_page : bool
    quiet : bool
    """

    words: tuple[str, ...]
    path: str
    number: int
    name: str
    free: str
    bounds: dict[str, tuple[float, float]]
    priors: dict[str, tuple[float, float]]
    shoebox: int | None = None
    most_evaluations: int = MOST_EVALUATIONS
    with_page: bool = True
    quiet: bool = True

    @property
    def outputs(self) -> list[str]:
        """The files that it makes; the last one is written last."""
        pages = [f"{self.name}.html"] if self.with_page else []
        return [f"{self.name}.expt", *pages, f"{self.name}_residual.bin", self.table]

    @property
    def table(self) -> str:
        """The file with all numbers, which is there where the refinement is done."""
        return f"{self.name}.json"

    @property
    def fingerprint(self) -> str:
        """What stands for all that the result depends on: options, and which files they name."""
        files = [Path(word) for word in (*self.words, self.path) if Path(word).is_file()]
        stats = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        known = (self.words, self.free, sorted(self.bounds.items()), sorted(self.priors.items()), self.shoebox)
        return hashlib.sha256(repr((*known, self.most_evaluations, stats)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Done:
    """What a refinement has come to, in short.

    Attributes
    ----------
    lines : tuple of str
        Its table.
    notices : tuple of str
    converged : bool
    """

    lines: tuple[str, ...]
    notices: tuple[str, ...]
    converged: bool


def refine_shot(shot: Shot, threads: int | None = None) -> Done:
    """Refine an image and write the results; notices are kept with what is returned.

    Raises
    ------
    InputError
        For an image that is not the detector's, or that determines nothing.
    FileError
        When a file cannot be read or written.
    """
    notices: list[str] = []
    with notices_only_to(notices.append):
        command, experiment = start_of(shot.words)
        parameters = parameters_at(shot.free, experiment)
        data, used = pixels_of(shot, command, parameters)
        fit = Fit(
            parameters=parameters,
            data=data,
            used=used,
            variance=(command.settings.readout.readout_noise / command.settings.readout.gain) ** 2,
            bounds=shot.bounds,
            priors=shot.priors,
            most_evaluations=shot.most_evaluations,
            threads=threads or command.compute.threads,
        )
        most = shot.most_evaluations
        with progress_bar("refining", not shot.quiet) as bar:
            refined = refine(fit, None if bar is None else lambda done, loss: bar(done / most))
        if not refined.converged:
            logger.warning(f"refine: {shot.name}: not converged after {refined.evaluations} evaluations")
        _write(shot, fit, refined)
    *most_files, last = shot.outputs
    said = (*table_lines(refined), f"wrote {', '.join(most_files)} and {last}")
    return Done(said, tuple(notices), refined.converged)


def _write(shot: Shot, fit: Fit, refined: Refined) -> None:
    """Write the files of a refinement, that with the numbers last."""
    write_expt(refined.point.experiment, str(Path(shot.path).resolve()), f"{shot.name}.expt")
    if shot.with_page:
        page.write(f"{shot.name}.html", fit, refined, Path(shot.path).name)
    difference: Any = fit.data - refined.image
    floatfile.write(f"{shot.name}_residual.bin", difference.astype(np.float32))
    write_json(refined, shot.path, shot.table, image_number=shot.number + 1, fingerprint=shot.fingerprint)


def done_before(shot: Shot) -> Done | None:
    """Return what an earlier run has made of an image; None where that is not there whole.

    Raises
    ------
    InputError
        It was made with other options or of other files.
    """
    try:
        content = json.loads(Path(shot.table).read_bytes())
        fingerprint, converged = content["fingerprint"], bool(content["converged"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if fingerprint != shot.fingerprint:
        raise InputError(
            f"refine: {shot.table}: was made with other options or of other files; give another -o, or leave -resume "
            "out"
        )
    return Done((), (), converged) if all(Path(name).is_file() for name in shot.outputs) else None


@functools.lru_cache(maxsize=2)
def start_of(words: tuple[str, ...]) -> tuple[CommandLine, Experiment]:
    """Return the options of a rendering, and the experiment that they describe."""
    with read_once({}):
        command, _ = parse_with_files(words)
        return command, resolve(command.settings.changed(write_dump=False))


def parameters_at(text: str, experiment: Experiment) -> Parameters:
    """Parameters that are refined; a background without material is the same in all pixels."""
    material = any(isinstance(part, Material) for part in experiment.background)
    names = [_ALIASES.get(word.strip(), word.strip()) for word in text.split(",") if word.strip()]
    names = ["offset" if name == "background" and not material else name for name in names]
    # Orientations are refined as turns of the crystal as it stands: near angles that are not unique they stay so.
    still = tuple(dataclasses.replace(crystal, misset=None) for crystal in experiment.crystals)
    if "mosaic_spread" in names and experiment.crystal.mosaic_spread == 0.0 and text == DEFAULT:
        names.remove("mosaic_spread")
    return parameters_of(dataclasses.replace(experiment, crystals=still), names)


def pixels_of(
    shot: Shot, command: CommandLine, parameters: Parameters
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return an image in photons and which of its pixels count, in the shape of the model."""
    readout, panels = command.settings.readout, parameters.experiment.detector.panels
    pixels, left_out = _stored(shot, command)
    n_slow, n_fast = max(panel.n_slow for panel in panels), max(panel.n_fast for panel in panels)
    shape = (n_slow, n_fast) if len(panels) == 1 else (len(panels), n_slow, n_fast)
    if pixels.size != math.prod(shape) or pixels.shape[-1] != n_fast:
        raise InputError(
            f"{shot.path}: has {pixels.shape[-1]} x {pixels.size // pixels.shape[-1]} pixels, which are not those of "
            f"the detector, {n_fast} x {math.prod(shape[:-1])} (fast x slow)"
        )
    data = pixels.astype(np.float64) / readout.gain
    used = np.isfinite(data) & (data >= (0.0 if readout.readout_noise == 0.0 else -math.inf)) & ~left_out
    finite = pixels[np.isfinite(pixels)]
    if finite.size and finite.max() >= _FULL and not np.any(np.mod(finite, 1.0)):
        used &= pixels < finite.max()
    data, used = data.reshape(shape), used.reshape(shape)
    if shot.shoebox is not None:
        used &= _shoeboxes(parameters, shot.shoebox)
    return data, used


def _stored(shot: Shot, command: CommandLine) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the pixels of an image as they were read, and which of them the file itself leaves out."""
    form = format_of(shot.path)
    if form is registry.NXMX:
        loaded = form.load(Source(shot.path, shot.number + 1))
        left_out = loaded.left_out
        return loaded.values, np.zeros(loaded.shape, dtype=np.bool_) if left_out is None else left_out
    image = next(read(shot.path, command, False))
    return image.pixels, np.zeros(image.pixels.shape, dtype=np.bool_)


def _shoeboxes(parameters: Parameters, margin: int) -> NDArray[np.bool_]:
    """Pixels within some number of pixels of a spot of the starting model."""
    from scipy.ndimage import maximum_filter

    from ..render.linearize import Linearization

    image = Linearization(parameters).image
    size = (2 * margin + 1, 2 * margin + 1)
    grown = maximum_filter(image, size=(1,) * (image.ndim - 2) + size)
    return np.asarray(grown > _SEEN)
