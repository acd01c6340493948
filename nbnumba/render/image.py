"""A rendered image: photons, the experiment they belong to, and how they came about."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..detector.assembly import assembled
from ..experiment.ground_truth import GroundTruth, ground_truth
from ..experiment.model import Experiment
from ..experiment.regions import rendered_panels
from ..parameters.types import C_INT
from ..readout.poisson import NOISE_RNGS
from ..util.checks import one_of, whole
from ..util.messages import Notify, notices_to
from .moments import moments

if TYPE_CHECKING:
    from ..imagefiles.pixel_truth import Maps
    from ..imagefiles.spots import Table
    from ..readout.chain import DetectorImage


@dataclass(frozen=True, eq=False)
class Statistics:
    """What C's report says about an image.

    Attributes
    ----------
    maximum : float [photons]
    maximum_fast_m, maximum_slow_m : float [m]
        Center of the last sub-pixel of the brightest pixel, on its panel; 0 when no pixel is above 0.
    mean, rms : float [photons]
        Over the rendered pixels.
    rmsd : float [photons]
        Over every pixel of the region, masked ones included.
    solid_angle : float [sr]
        As C has it: the sum over pixels, sub-pixels and layers, divided by the steps.
    """

    maximum: float
    maximum_fast_m: float
    maximum_slow_m: float
    mean: float
    rms: float
    rmsd: float
    solid_angle: float


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """A rendered image with the experiment it belongs to.

    Attributes
    ----------
    array : (n_slow, n_fast) or (n_panels, n_slow, n_fast) float32 [photons/pixel]
        Of a detector of several panels the first axis counts them; smaller panels are padded with 0. Read-only: a
        copy can be changed.
    experiment : Experiment
        Its `detector.panels` tell where every pixel is (`Panel.position`).
    omega_sum : float [sr]
        Solid angle over pixels, sub-pixels and layers.
    backend : str
        What rendered it, "cpu" or "cuda".
    precision : str
        "double" or "mixed".
    threads : int
    latch_hkl : (h, k, l) or None
        Fractional indices of the sample that switched interpolation off for the rest of the image.
    latch : int
        Its number in the image, or `scene.NEVER`; of the first pass that has one.
    latches : tuple of int
        That of the first panel in every pass (`nbnumba.experiment.passes`).
    seconds : float
        Wall time of the rendering, compiling included.
    evaluated_steps : int
        Steps whose lattice factor was worked out; of the others it was seen beforehand that they add nothing.
    spots : int
        Spots that were listed to draw it; 0 where every pixel was asked for the nearest reflections.
    device : int or None
        Number of the GPU that rendered it, which reads it out as well; None: the processor.
    """

    array: NDArray[np.float32]
    experiment: Experiment
    omega_sum: float
    backend: str
    precision: str
    threads: int
    latch_hkl: tuple[float, float, float] | None
    latch: int
    seconds: float
    evaluated_steps: int
    spots: int = 0
    device: int | None = None
    latches: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        # Statistics are worked out once, and files are written from it.
        array = self.array.view()
        array.flags.writeable = False
        object.__setattr__(self, "array", array)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the array of a copy read-only, too."""
        self.__dict__.update(state)
        self.__post_init__()

    @functools.cached_property
    def statistics(self) -> Statistics:
        """What C's report says about the image, worked out when it is first asked for."""
        return _statistics(self.experiment, self.array, self.omega_sum, self.threads)

    def __repr__(self) -> str:
        size = " x ".join(str(axis) for axis in self.array.shape)
        return f"<Image: {size} pixels, up to {self.statistics.maximum:g} photons>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the photons, so that functions of arrays take the image itself."""
        return np.array(self.array, dtype, copy=copy)

    def ground_truth(self, noise_seed: int | None = None, noise_rng: str | None = None) -> GroundTruth:
        """Return what a file should tell of the image's making.

        Parameters
        ----------
        noise_seed, noise_rng
            Of the noise on the pixels to be written; None without noise.
        """
        return ground_truth(
            self.experiment,
            command=self.experiment.command,
            backend=self.backend,
            precision=self.precision,
            noise_seed=noise_seed,
            noise_rng=noise_rng,
        )

    def spot_table(self) -> Table:
        """Return the reflections that have photons in the image, by column; see `nbnumba.render.spot_table`."""
        from .spot_table import spot_table

        return spot_table(self.experiment, self.threads)

    def pixel_truth(self) -> Maps:
        """Return what every pixel shows of the crystals, map by map; see `nbnumba.render.pixel_truth`."""
        from .pixel_truth import pixel_truth

        return pixel_truth(self.experiment, self.threads)

    def _repr_png_(self) -> bytes:
        """Return the picture that a notebook shows."""
        from ..io import png as preview

        if self.array.ndim == 2:
            return preview.png(self.array)
        together = assembled(self.array, self.experiment.detector, self.experiment.beam)
        return preview.png(together.photons, gaps=together.gaps)

    def plot(self, ax: Any = None, *, log: bool = True, rings: bool = True, panel: int = 0, **options: Any) -> Any:
        """Draw the image with matplotlib: colors with their scale, resolution rings, the direct beam.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a figure of its own by default.
        log : bool
            Whether colors follow the logarithm.
        rings : bool
            Whether rings of round spacings and a cross at the direct beam are drawn.
        panel : int
            Which panel of the detector.
        **options
            For `Axes.imshow`, such as cmap, vmin and norm.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            matplotlib is not installed, or there is no such panel.
        """
        from .plot import plot

        panel = whole("panel", panel, 0, len(self.experiment.detector.panels) - 1)
        return plot(self.array, self.experiment, ax, log, rings, panel, options)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        dtype: DTypeLike | None = None,
        noise_seed: int | None = None,
        noise_rng: str = "counter",
        adc: float = 0.0,
        scale: float = 1.0,
        rings: bool = False,
        annotate: bool = False,
        notify: Notify | None = None,
    ) -> None:
        """Write the image in the format of the name's ending.

        Parameters
        ----------
        path : path
            ``.bin``: photons, raw float32. ``.h5``, ``.hdf5``, ``.nxs``: NXmx with geometry and ground truth, and
            beside it a CrystFEL ``.geom`` and an ``XDS.INP``. ``.cbf``: mini-CBF. ``.img``: SMV. ``.png``: a picture.
        dtype : {"float32", "int32", "uint16"}, optional
            Of the pixels of an NXmx file, float32 by default. The others have one each: CBF int32, SMV uint16.
        noise_seed : int, optional
            Draws photon noise first; not for ``.bin`` and ``.png``.
        noise_rng : {"counter", "c"}
            Random numbers counted by pixel, or those of the C program.
        adc, scale : float
            Of SMV alone: the pixel is photons * scale + adc. Noise is not scaled.
        rings : bool
            Of PNG alone: resolution rings.
        annotate : bool
            Of PNG alone: resolution rings, the direct beam, a scale bar, and a bar of the gray values.
        notify : callable, optional
            Receives lines about what the format cannot tell, and about clipped pixels.

        Raises
        ------
        InputError
            For an unknown ending, an option that the format has no use for, or a detector that it cannot hold.
        FileError
            The file cannot be written, or the disk is full.
        """
        from ..imagefiles.save import checked_options, save

        one_of("noise_rng", noise_rng, NOISE_RNGS)
        noisy = noise_seed is not None
        if noise_seed is not None:
            noise_seed = whole("noise_seed", noise_seed, -C_INT, C_INT)
        semantics = self.experiment.semantics
        options = checked_options(
            path, semantics, dtype=dtype, noise=noisy, adc=adc, scale=scale, rings=rings, annotate=annotate
        )
        with notices_to(notify):
            if noise_seed is None:
                save(path, self.array, self.experiment, self.experiment.crystal, self.ground_truth(), options)
                return
            counts = self.with_noise(noise_seed, noise_rng)
            kept = None if options.dtype == "uint16" and (self.saturation or 0) > 65533 else self.saturation
            unscaled = replace(options, scale=1.0, saturation=None if options.dtype == "float32" else kept)
            truth = self.ground_truth(noise_seed, noise_rng if self.experiment.readout is None else "counter")
            save(path, counts, self.experiment, self.experiment.crystal, truth, unscaled)

    def with_noise(self, seed: int, rng: str = "counter", number: int = 0) -> NDArray[np.int32]:
        """Draw photon counts, and read them out where the experiment has a readout: then random numbers are counted.

        Parameters
        ----------
        seed : int
            From -2147483647 to 2147483647.
        rng : {"counter", "c"}
            Random numbers counted by pixel, or those of the C program.
        number : int
            Images of one series have one seed and differ in the number; for "counter" alone.

        Returns
        -------
        like `array`, int32 [photons]
            Without offset.

        Raises
        ------
        InputError
            For an unknown generator, or a seed or number that is none.
        """
        from ..readout.poisson import poisson_image_c, poisson_image_counter

        seed, number = whole("seed", seed, -C_INT, C_INT), whole("number", number, 0)
        if self.experiment.readout is not None:
            return self.detected(seed, number).pixels
        one_of("rng", rng, NOISE_RNGS)
        rows = self.array.reshape(-1, self.array.shape[-1])
        roi = self.experiment.sampling.roi if self.array.ndim == 2 else None
        if rng == "counter":
            noise = poisson_image_counter(rows, seed, 0.0, roi, image_number=number, device=self.device, dtype="int32")
        else:
            table = list(self.experiment.random_table)
            noise = poisson_image_c(rows, seed, 0.0, roi, table=table, dtype="int32")
        return noise.counts.reshape(self.array.shape).astype(np.int32, copy=False)

    @property
    def saturation(self) -> int | None:
        """The largest number of a pixel that was read out; None: what a file leaves free."""
        readout = self.experiment.readout
        return None if readout is None else readout.saturation

    def detected(self, seed: int, number: int = 0, threads: int | None = None) -> DetectorImage:
        """Read the image out: photon noise and all that the experiment's readout says.

        Random numbers are counted by pixel.

        Parameters
        ----------
        seed : int
        number : int
            Images of one series have one seed and differ in the number.
        threads : int, optional
            Those of the rendering by default.
        """
        from ..readout.chain import read_out
        from ..readout.model import Readout

        readout = self.experiment.readout or Readout()
        return read_out(self.array, readout, seed, number, threads or self.threads or 1, self.device)


def _statistics(experiment: Experiment, array: NDArray[np.float32], omega_sum: float, threads: int) -> Statistics:
    """Work out the numbers of C's report (nanoBragg.c:3048-3130).

    Parameters
    ----------
    experiment : Experiment
    array : as `Image.array`
    omega_sum : float [sr]
        Over pixels, sub-pixels and layers.
    threads : int
    """
    sampling, panels = experiment.sampling, experiment.detector.panels
    fast_first, fast_last, slow_first, slow_last = sampling.roi
    n_fast = array.shape[-1]
    rows = array.reshape(-1, n_fast)
    part: tuple[slice, slice] = slice(slow_first, slow_last + 1), slice(fast_first, fast_last + 1)
    if len(panels) > 1 and sampling.panel is None:
        region, part, corner = rows, (slice(None), slice(None)), (0, 0)
        pixels = sum(panel.n_slow * panel.n_fast for panel in panels)
    else:
        region = array.reshape(-1, *array.shape[-2:])[sampling.panel or 0][part]
        corner = ((sampling.panel or 0) * array.shape[-2] + slow_first, fast_first) if region.size else (0, 0)
        pixels = region.size
    masks = (panels[number].mask for number in rendered_panels(experiment))
    rendered = pixels - sum(int(np.count_nonzero(~mask[part])) for mask in masks if mask is not None)
    mean, squares, deviations, brightest = moments(region, max(1, rendered), threads)
    if pixels < region.size:  # panels that are padded
        deviations = max(0.0, deviations - (region.size - pixels) * mean * mean)
    rms = float(np.sqrt(squares / (max(2, rendered) - 1)))
    rmsd = float(np.sqrt(deviations / (max(2, pixels) - 1)))
    row, fast = corner[0] + brightest[0], corner[1] + brightest[1]  # pixels outside the region are 0
    maximum = max(0.0, float(rows[row, fast]))
    panel_number, slow = divmod(row, array.shape[-2])
    last = sampling.oversample - 1
    fast_m, slow_m = (
        size / sampling.oversample * (pixel * sampling.oversample + last) + size / sampling.oversample / 2.0
        for size, pixel in zip(panels[panel_number].pixel_sizes, (fast, slow), strict=True)
    )
    return Statistics(
        maximum=maximum,
        maximum_fast_m=fast_m if maximum > 0.0 else 0.0,
        maximum_slow_m=slow_m if maximum > 0.0 else 0.0,
        mean=mean,
        rms=rms,
        rmsd=rmsd,
        solid_angle=omega_sum / experiment.steps,
    )
