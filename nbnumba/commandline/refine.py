"""`nbnumba refine`: an experiment fitted to images."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..background.material import Material
from ..errors import InputError
from ..experiment.model import Experiment
from ..experiment.resolve import resolve
from ..gradients.parameters import Parameters, parameters_of
from ..imagefiles.load import count, read
from ..imagefiles.records import ImageRecord
from ..io import floatfile
from ..io.atomic import check_can_write, check_distinct
from ..parameters.command import CommandLine
from ..parameters.parser import parse_with_files
from ..refine.fit import MOST_EVALUATIONS, Fit, Refined, refine
from ..refine.report import table_lines, write_expt, write_json
from ..util.messages import Reporter, logger, progress_bar
from ..util.text import quote
from .own_options import take_own_options

_OWN = {
    "-o": "-o",
    "-output": "-o",
    "-free": "-free",
    "-image": "-image",
    "-bounds": "-bounds",
    "-priors": "-priors",
    "-shoebox": "-shoebox",
    "-evaluations": "-evaluations",
}
_DEFAULT = "misset,cell,N,mosaic_spread,scale,background"
_ALIASES = {"mosaic": "mosaic_spread"}
_SEEN = 0.1  # photons of the starting model from which on a pixel belongs to a spot
_FULL = 65533  # numbers of files of 16 bits that mark pixels


def run(words: Sequence[str]) -> int:
    """Refine an experiment against the images of a file.

    Parameters
    ----------
    words : sequence of str
        An image, the options of this command (`_OWN`), and options of a rendering that say where to start.

    Returns
    -------
    int
        Exit status: 1 where a fit has not converged.

    Raises
    ------
    InputError
        For a mistake in the words, an image that is not the detector's, or one that determines nothing.
    FileError
        When a file cannot be read or written.
    """
    own, rest = take_own_options(words, _OWN)
    if not any(word.lstrip("-").startswith("semantics") for word in rest if word.startswith("-")):
        rest = [*rest, "-semantics", "exact"]
    command, files = parse_with_files(rest)
    for line in command.notices:
        logger.warning(line)
    if len(files) != 1:
        raise InputError(f"refine: needs one image, got {len(files)}: {' '.join(files) or 'none'}")
    target = own.get("-o")
    if target is None:
        raise InputError("refine: needs -o NAME, what the results are called: NAME.expt, NAME.json, NAME_residual.bin")
    chosen = _chosen(own.get("-image"), files[0])
    names = [target if len(chosen) == 1 else f"{target}_{number + 1:04d}" for number in chosen]
    for name in names[:1]:
        outputs = _outputs(name)
        check_distinct([("-o", path) for path in outputs], [("refine", files[0])])
        for path in outputs:
            check_can_write("-o", path)
    from .. import kernels

    kernels.check_compute_options("cpu", command.compute.threads)
    experiment = resolve(command.settings.changed(write_dump=False))
    parameters = _parameters(own.get("-free", _DEFAULT), experiment)
    converged = True
    for number, image in enumerate(read(files[0], command)):
        if number in chosen:
            refined = _refine(image, own, command, parameters)
            _report(refined, files[0], names[chosen.index(number)], image, command)
            converged = converged and refined.converged
    return 0 if converged else 1


def _outputs(name: str) -> list[str]:
    return [f"{name}.expt", f"{name}.json", f"{name}_residual.bin"]


def _chosen(text: str | None, path: str) -> list[int]:
    """Numbers of the images that are refined."""
    there = count(path)
    if text is None:
        return list(range(there))
    if not text.isdecimal() or not 1 <= int(text) <= there:
        raise InputError(f"-image {quote(text)}: allowed are 1 to {there}, the images of {path}")
    return [int(text) - 1]


def _parameters(text: str, experiment: Experiment) -> Parameters:
    """Parameters that are refined; a background without material is the same in all pixels."""
    material = any(isinstance(part, Material) for part in experiment.background)
    names = [_ALIASES.get(word.strip(), word.strip()) for word in text.split(",") if word.strip()]
    names = ["offset" if name == "background" and not material else name for name in names]
    # Orientations are refined as turns of the crystal as it stands: near angles that are not unique they stay so.
    still = tuple(dataclasses.replace(crystal, misset=None) for crystal in experiment.crystals)
    if "mosaic_spread" in names and experiment.crystal.mosaic_spread == 0.0 and text == _DEFAULT:
        names.remove("mosaic_spread")
    return parameters_of(dataclasses.replace(experiment, crystals=still), names)


def _refine(image: ImageRecord, own: Mapping[str, str], command: CommandLine, parameters: Parameters) -> Refined:
    """Fit one image."""
    readout = command.settings.readout
    data = image.pixels.astype(np.float64) / readout.gain
    if parameters.experiment.detector.panels[0].n_fast != data.shape[-1] or data.shape[-2] != max(
        panel.n_slow for panel in parameters.experiment.detector.panels
    ):
        raise InputError(
            f"{image.name}: has {data.shape[-1]} x {data.shape[-2]} pixels, which are not those of the detector"
        )
    used = np.isfinite(data) & (data >= (0.0 if readout.readout_noise == 0.0 else -math.inf))
    if image.pixels.dtype.kind in "iu" and image.pixels.max() >= _FULL:
        used &= image.pixels < image.pixels.max()
    if "-shoebox" in own:
        used &= _shoeboxes(parameters, _whole("-shoebox", own["-shoebox"], 0, 10_000))
    most = _whole("-evaluations", own.get("-evaluations", str(MOST_EVALUATIONS)), 1, 100_000)
    fit = Fit(
        parameters=parameters,
        data=data,
        used=used,
        variance=(readout.readout_noise / readout.gain) ** 2,
        bounds=_pairs("-bounds", own.get("-bounds")),
        priors=_pairs("-priors", own.get("-priors")),
        most_evaluations=most,
        threads=command.compute.threads,
    )
    fit.limits()
    with progress_bar("refining", not command.output.quiet) as bar:
        return refine(fit, None if bar is None else lambda done, loss: bar(done / most))


def _shoeboxes(parameters: Parameters, margin: int) -> NDArray[np.bool_]:
    """Pixels within some number of pixels of a spot of the starting model."""
    from scipy.ndimage import maximum_filter

    from ..render.linearize import Linearization

    image = Linearization(parameters).image
    size = (2 * margin + 1, 2 * margin + 1)
    grown = maximum_filter(image, size=(1,) * (image.ndim - 2) + size)
    return np.asarray(grown > _SEEN)


def _whole(option: str, text: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise InputError(f"{option}: {quote(text)}; allowed are whole numbers from {low} to {high}")
    return int(text)


def _pairs(option: str, text: str | None) -> dict[str, tuple[float, float]]:
    """Read NAME=X:Y,NAME=X:Y."""
    found: dict[str, tuple[float, float]] = {}
    for word in (text or "").split(","):
        if not word.strip():
            continue
        name, _, numbers = word.partition("=")
        try:
            first, second = (float(number) for number in numbers.split(":"))
        except ValueError:
            raise InputError(f"{option}: {quote(word)} is not NAME=X:Y") from None
        if not (math.isfinite(first) and math.isfinite(second)):
            raise InputError(f"{option}: {quote(word)}: both numbers must be finite")
        found[name.strip()] = (first, second)
    return found


def _report(refined: Refined, path: str, name: str, image: ImageRecord, command: CommandLine) -> None:
    """Print the table of a fit and write its files."""
    expt, table, residual = _outputs(name)
    Reporter(command.output.quiet)([*table_lines(refined), f"wrote {expt}, {table} and {residual}"])
    if not refined.converged:
        logger.warning(f"refine: {name}: not converged after {refined.evaluations} evaluations")
    write_expt(refined.point.experiment, str(Path(path).resolve()), expt)
    write_json(refined, path, table)
    readout = command.settings.readout
    difference: Any = image.pixels.astype(np.float64) / readout.gain - refined.image
    floatfile.write(residual, difference.astype(np.float32))
