"""An image with its derivatives by parameters."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..background.material import Material
from ..errors import InputError
from ..experiment.drawable import check_drawable
from ..experiment.model import Experiment
from ..experiment.scene import build_scene, build_surroundings
from ..geometry.vectors import Array
from ..gradients.parameters import Parameters
from ..gradients.tangents import SPOTS, WEIGHTS, Slopes
from .background import background_photons
from .likelihood import Likelihood, of_spread_image
from .panel_sums import PanelSums, region, rendered
from .point_spread import PanelSpread

if TYPE_CHECKING:
    from ..kernels.gradient.tangents import Tangents
    from ..structure_factors.table import ReflectionTable


class Linearization:
    """An image at some values of parameters, and how it changes with them, to first order.

    Parameters
    ----------
    parameters : Parameters
    values : (n,), optional
        Those of the parameters by default.
    threads : int, optional
        Every core that this process may use by default.
    device : int, optional
        GPU that does it; the processor by default. Derivatives by structure factors backward, materials and point
        spread are the processor's always.

    Notes
    -----
    The image is float64 and has all its samples: it differs from that of `simulate` by the rounding to float32, and by
    what that may leave out of a pixel. Where the experiment has a point spread, image and derivatives are those of the
    light that arrives in the pixels: expected photons, spread.
    """

    def __init__(
        self,
        parameters: Parameters,
        values: ArrayLike | None = None,
        threads: int | None = None,
        device: int | None = None,
    ) -> None:
        from ..kernels.types import available_threads

        self.parameters = parameters
        self.values = parameters.values if values is None else np.array(values, dtype=np.float64)
        self._threads = threads or available_threads()
        self._device = device
        self._slopes = Slopes(parameters, self.values)
        self.point = self._slopes.point
        check_drawable(self.point.experiment)
        self._scenes = self._slopes.scenes

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the image: (n_slow, n_fast) or (n_panels, n_slow, n_fast)."""
        panels = self._scenes[0]
        size = max(scene.n_slow for scene in panels), max(scene.n_fast for scene in panels)
        return size if len(panels) == 1 else (len(panels), *size)

    @functools.cached_property
    def image(self) -> Array:
        """The image, (n_slow, n_fast) or (n_panels, n_slow, n_fast) [photons]."""
        stack = self._photons if self._spread is None else self._spread.image(self._photons)
        return stack.reshape(self.shape)

    @functools.cached_property
    def _photons(self) -> Array:
        """The image before a point spread, (panels, n_slow, n_fast)."""
        return self._run([], np.zeros((0, *self._stack_shape)))[0]

    @functools.cached_property
    def _spread(self) -> PanelSpread | None:
        """What spreads the light of the panels; None: nothing does."""
        readout = self.point.experiment.readout
        if readout is None or readout.spread is None:
            return None
        shapes = [(scene.n_slow, scene.n_fast) for scene in self._scenes[0]]
        before = readout.spread_first or readout.spread.kind == "charge"
        return PanelSpread(readout.spread, shapes, before, self._threads)

    @functools.cached_property
    def _tangents(self) -> list[list[Tangents]]:
        return self._slopes.tangents()

    @property
    def _stack_shape(self) -> tuple[int, int, int]:
        shape = self.shape
        return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])

    def jacobian(self) -> Array:
        """Return the derivatives of the image by every parameter, (n, ...) with the shape of the image."""
        return self._with_slopes()[1].reshape(-1, *self.shape)

    def _with_slopes(self) -> tuple[Array, Array]:
        """Return the image before a point spread, and the derivatives after it by every parameter."""
        slopes = np.zeros((len(self.parameters), *self._stack_shape))
        photons, _ = self._run(self._tangents, slopes)
        for number, slope in self._background_slopes.items():
            slopes[number] += slope
        if self._spread is not None:
            for slope in slopes:
                slope[:] = self._spread.change(slope)
            for number, rate in self._widths.items():
                slopes[number] = rate * self._spread.width_slope(photons)
        return photons, slopes

    @functools.cached_property
    def _widths(self) -> dict[int, float]:
        """By how many pixels the width of the point spread changes, by the number of each parameter that is one."""
        names, pixel = self.parameters.names, self.point.experiment.detector.panels[0].pixel_sizes[0]
        return {number: 1e-6 / pixel for number, name in enumerate(names) if name == "psf_fwhm"}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the image and its derivatives by every parameter, .npz, with the experiment that they belong to.

        The file holds `image`, `derivatives`, `names`, `units`, `values`, `scales`, the `command` line of the
        experiment with the values that it has there (`values_of_command`), `semantics` and `version`.

        Raises
        ------
        FileError
            The file cannot be written.
        """
        from ..io.atomic import check_can_write
        from .derivatives_file import write

        check_can_write("path", path)
        write(path, self.parameters, self.values, self.image, self.jacobian())

    def jvp(self, direction: ArrayLike) -> Array:
        """Return the derivative of the image along a direction of parameters.

        Parameters
        ----------
        direction : (n,) or (m, n)
            One direction or several.

        Returns
        -------
        as `image`, or (m, ...)

        Raises
        ------
        InputError
            For a direction of other than n numbers.
        """
        directions = np.asarray(direction, dtype=np.float64)
        if directions.ndim not in (1, 2) or directions.shape[-1] != len(self.parameters):
            raise InputError(
                f"direction: has the shape {directions.shape}; allowed: ({len(self.parameters)},), or several of them"
            )
        several = np.atleast_2d(directions)
        slopes = np.zeros((len(several), *self._stack_shape))
        for place, one in zip(slopes, several, strict=True):
            self._run(self._slopes.tangents(one), place[np.newaxis])
        for number, slope in self._background_slopes.items():
            slopes += np.multiply.outer(several[:, number], slope)
        if self._spread is not None:
            slopes = np.array([self._spread.change(slope) for slope in slopes])
            for number, rate in self._widths.items():
                slopes += np.multiply.outer(rate * several[:, number], self._spread.width_slope(self._photons))
        return slopes.reshape(self.shape if directions.ndim == 1 else (-1, *self.shape))

    def vjp(self, weights: ArrayLike) -> Array:
        """Return the derivatives of the sum of weights times pixels by every parameter, (n,).

        Parameters
        ----------
        weights : array_like
            Of the shape of the image: the derivative of some number by every pixel.

        Raises
        ------
        InputError
            For weights of another shape.
        """
        arrived = self._of_pixels("weights", weights)
        given = arrived if self._spread is None else self._spread.gather(arrived)
        total = self._sums.weighted(self._tangents, given)
        for number, slope in self._background_slopes.items():
            total[number] += np.sum(slope * given)
        if self._spread is not None:
            for number, rate in self._widths.items():
                total[number] = rate * np.sum(self._spread.width_slope(self._photons) * arrived)
        return np.asarray(total)

    def jvp_reflections(self, direction: ArrayLike) -> Array:
        """Return the derivative of the image along a direction of structure factors.

        Parameters
        ----------
        direction : array_like
            Of the shape of `experiment.reflections.values`.

        Raises
        ------
        InputError
            For an experiment without a table, or with several, and for a direction of another shape.
        """
        from ..kernels.gradient.tangents import table_tangents

        reflections, attenuation, inside = self._table()
        given = np.asarray(direction, dtype=np.float64)
        if given.shape != reflections.values.shape:
            raise InputError(
                f"direction: has the shape {given.shape}; allowed: {reflections.values.shape}, that of the reflections"
            )
        scene = self._scenes[0][0]
        padded = np.zeros(scene.table.shape)
        padded[inside] = given * attenuation
        form = self._slopes.form(0, scene)
        slopes = np.zeros((1, *self._stack_shape))
        self._run([[table_tangents(one, form, padded.reshape(-1)) for one in self._scenes[0]]], slopes)
        if self._spread is not None:
            slopes = self._spread.change(slopes[0])
        return slopes.reshape(self.shape)

    def vjp_reflections(self, weights: ArrayLike) -> Array:
        """Return the derivatives of the sum of weights times pixels by every structure factor.

        Parameters
        ----------
        weights : array_like
            Of the shape of the image: the derivative of some number by every pixel.

        Returns
        -------
        array
            Of the shape of `experiment.reflections.values`.

        Raises
        ------
        InputError
            For an experiment without a table, or with several, and for weights of another shape.
        """
        from ..kernels.gradient import driver
        from ..kernels.gradient.tangents import no_tangents

        given = self._of_pixels("weights", weights)
        if self._spread is not None:
            given = self._spread.gather(given)
        _, attenuation, inside = self._table()
        total = np.zeros(self._scenes[0][0].flat.size)
        for panel, scene in enumerate(self._scenes[0]):
            one = driver.prepared(scene, no_tangents(scene, self._slopes.form(0, scene)), self._threads)
            total += driver.table_gradient(one, np.ascontiguousarray(given[panel][region(scene)]), self._threads)
        return np.asarray(total.reshape(self._scenes[0][0].table.shape)[inside] * attenuation)

    def _table(self) -> tuple[ReflectionTable, Array, tuple[slice, ...]]:
        """Return the reflections, what the B factor multiplies each by, and where they stand in the scenes' table."""
        experiment = self.point.experiment
        if len(self._scenes) != 1 or experiment.reflections is None:
            count = "no table" if len(self._scenes) == 1 else f"{len(self._scenes)} tables"
            raise InputError(f"reflections: the experiment has {count} of structure factors; one is needed here")
        reflections, scene = experiment.reflections, self._scenes[0][0]
        first = (reflections.h_min, reflections.k_min, reflections.l_min)
        inside = tuple(
            slice(own - minimum + 1, own - minimum + 1 + size)
            for own, minimum, size in zip(
                first, (scene.h_min, scene.k_min, scene.l_min), reflections.values.shape, strict=True
            )
        )
        ones = dataclasses.replace(reflections, table=np.ones_like(reflections.table))
        crystal = dataclasses.replace(experiment.crystal, reflections=ones)
        attenuation = build_scene(dataclasses.replace(experiment, crystals=(crystal,))).table[inside]
        return reflections, attenuation, inside

    def likelihood(self, data: ArrayLike, used: NDArray[np.bool_], variance: float = 0.0) -> Likelihood:
        """Return how likely an image is that was measured, and what its pixels say about the parameters.

        The derivatives are summed up band by band, and are never kept for the whole image but with a point spread.

        Parameters
        ----------
        data : array_like
            Of the shape of the image [photons].
        used : array of bool
            Pixels that count.
        variance : float [photons^2]
            Of the readout; 0: the data are counts, of a Poisson distribution.

        Raises
        ------
        InputError
            For arrays of another shape.
        """
        measured = self._of_pixels("data", data)
        counted = self._of_pixels("used", used) != 0.0
        if self._spread is not None:
            photons, of_light = self._with_slopes()
            counted &= np.array([rendered(scene, counted.shape[1:]) for scene in self._scenes[0]])
            return of_spread_image(measured, counted, photons, of_light, self._spread, variance)
        return self._sums.likelihood(
            self._tangents, measured, counted, variance, self._background, self._background_slopes
        )

    def _of_pixels(self, name: str, values: ArrayLike) -> Array:
        """Check numbers that belong to pixels; return them by panel."""
        array = np.asarray(values, dtype=np.float64)
        if array.shape != self.shape:
            raise InputError(f"{name}: has the shape {array.shape}; allowed: {self.shape}, that of the image")
        return array.reshape(self._stack_shape)

    def _run(self, tangents: Sequence[Sequence[Tangents]], slopes: Array) -> tuple[Array, Array]:
        """Render the image and add derivatives to `slopes`, (directions, panels, n_slow, n_fast)."""
        stack = self._sums.image(tangents, slopes)
        if self._background is not None:
            stack += self._background
        return stack, slopes

    @functools.cached_property
    def _sums(self) -> PanelSums:
        return PanelSums(self._slopes, self._stack_shape, self._threads, self._device)

    @functools.cached_property
    def _background(self) -> Array | None:
        """Photons that do not come from the crystal, (panels, n_slow, n_fast); None: there are none."""
        point = self.point
        if point.offset == 0.0 and not self._has_materials:
            return None
        stack = np.zeros(self._stack_shape)
        if self._has_materials:
            stack += point.background * self._materials(point.experiment)
        for place, scene in zip(stack, self._scenes[0], strict=True):
            place += point.offset * rendered(scene, place.shape)
        return stack

    @property
    def _has_materials(self) -> bool:
        return any(isinstance(material, Material) for material in self.point.experiment.background)

    def _materials(self, experiment: Experiment) -> Array:
        """Photons of the materials of an experiment, (panels, n_slow, n_fast)."""
        stack = np.zeros(self._stack_shape)
        for place, scene in zip(stack, build_surroundings(experiment), strict=True):
            photons = background_photons(experiment, scene, self._threads)
            if photons is not None:
                place[: scene.n_slow, : scene.n_fast] = photons
        return stack

    @functools.cached_property
    def _background_slopes(self) -> dict[int, Array]:
        """Derivatives of those photons, (panels, n_slow, n_fast), by the number of each parameter that they have."""
        slopes = {}
        for number, (component, kind) in enumerate(zip(self.parameters.components, self.parameters.kinds, strict=True)):
            if component.name == "offset":
                slopes[number] = np.zeros(self._stack_shape)
                for place, scene in zip(slopes[number], self._scenes[0], strict=True):
                    place += rendered(scene, place.shape)
            elif component.name == "background":
                slopes[number] = self._materials(self.point.experiment)
            elif self._has_materials and kind not in (*SPOTS, "photons"):
                slopes[number] = np.zeros(self._stack_shape)
                for steps, weight in WEIGHTS:
                    at = self._slopes.point_at(number, steps * component.step)
                    slopes[number] += (weight / component.step * at.background) * self._materials(at.experiment)
        return slopes
