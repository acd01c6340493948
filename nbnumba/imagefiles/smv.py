"""SMV images of an experiment: what their headers say, and the noise image."""

from __future__ import annotations

from collections.abc import MutableSequence

import numpy as np
from numpy.typing import NDArray

from ..detector.model import Detector
from ..experiment.model import Goniometer
from ..geometry.vectors import Array
from ..io import smv
from ..parameters.choices import Semantics
from ..parameters.command import Output
from ..readout.poisson import poisson_image_c, poisson_image_counter, seed_from_time
from ..util.messages import Reporter, logger, progress_bar
from .headers import untold


def header_style(semantics: Semantics, output: Output, detector: Detector, beam_direction: Array) -> str:
    """Choose the dialect of the headers and warn where the format cannot tell the truth.

    Parameters
    ----------
    semantics : Semantics
    output : Output
        An explicit -smv_header wins.
    detector : Detector
    beam_direction : (3,)

    Returns
    -------
    str
        A style of `nbnumba.io.smv.header`.
    """
    style = output.smv_header or ("c" if semantics is Semantics.C else "dials")
    if style != "c":
        for line in untold(detector, beam_direction, "SMV"):
            logger.warning(line)
    return style


def smv_fields(detector: Detector, wavelength: float, goniometer: Goniometer, adc: float) -> smv.SmvFields:
    """Collect what a header says.

    Parameters
    ----------
    detector : Detector
    wavelength : float [m]
    goniometer : Goniometer
    adc : float
        Offset of the pixels.
    """
    panel, center = detector.panels[0], detector.center
    return smv.SmvFields(
        n_fast=panel.n_fast,
        n_slow=panel.n_slow,
        pixel_size=panel.pixel_size,
        distance=panel.distance,
        wavelength=wavelength,
        Xbeam=center.Xbeam,
        Ybeam=center.Ybeam,
        Fbeam=center.Fbeam,
        Sbeam=center.Sbeam,
        detsize_s=detector.detsize_s,
        dials_origin_mm=center.dials_origin_mm,
        ORGX=center.ORGX,
        ORGY=center.ORGY,
        close_distance=panel.close_distance,
        phi=goniometer.phi,
        osc=goniometer.osc,
        twotheta=detector.twotheta,
        adc=adc,
    )


def choose_noise_seed(output: Output) -> int:
    """Return the seed of the noise; one that is drawn from the time goes out as a notice, under -quiet too."""
    if output.seed is not None:
        return output.seed
    seed = seed_from_time()
    logger.warning(f"noise seed {seed}, from the time; -seed {seed} draws the same noise again")
    return seed


def write_noise(
    path: str,
    image: NDArray[np.float32],
    seed: int,
    roi: tuple[int, int, int, int],
    header: bytes,
    output: Output,
    random_table: MutableSequence[int] | None = None,
    device: int | None = None,
) -> None:
    """Draw the noise image, report it and write it.

    Parameters
    ----------
    path : str
    image : (n_slow, n_fast) float32 [photons]
    seed : int
        As typed after -seed.
    roi : (fast first, fast last, slow first, slow last)
        Inclusive.
    header : bytes
    output : Output
        The offset -adc, -noise_rng, -quiet and -noprogress count.
    random_table : sequence of int, optional
        See `nbnumba.readout.poisson.poisson_image_c`.
    device : int, optional
        GPU that draws counted noise; the processor by default.

    Raises
    ------
    FileError
        The file cannot be written.
    """
    say = Reporter(output.quiet)
    with progress_bar("drawing noise", output.shows_progress) as progress:
        if output.noise_rng == "counter":
            noise = poisson_image_counter(image, seed, output.adc, roi, progress, device=device)
        else:
            noise = poisson_image_c(image, seed, output.adc, roi, progress, random_table)
    say([f"{noise.photons:.0f} photons on noise image ({noise.overloads} overloads)"])
    say([f"writing {path} as 2-byte integers"])
    smv.write(path, noise.counts, header)
