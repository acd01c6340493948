"""Experiment -> image."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, parameters_called
from ..experiment.drawable import check_drawable
from ..experiment.model import Experiment
from ..experiment.passes import split_into_passes
from ..experiment.regions import rendered_panels
from ..experiment.scene import build_scenes
from ..kernels.background.bodies import Surroundings
from ..kernels.scene import Scene
from ..util.checks import one_of, whole
from ..util.messages import Notify, notices_to
from .background import surroundings_of
from .image import Image
from .parts import Stack, Total, dark
from .pixels import Photons, chosen_pixels, render_pixels

if TYPE_CHECKING:
    from ..gradients.parameters import Parameters
    from ..kernels.types import Rendered
    from .linearize import Linearization

BACKENDS = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "double", "mixed")


@overload
def simulate(
    experiment: Experiment,
    backend: str | None = None,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
    on_compiling: Callable[[], None] | None = None,
    *,
    precision: str | None = None,
    device: int | None = None,
    notify: Notify | None = None,
    pixels: None = None,
) -> Image: ...


@overload
def simulate(
    experiment: Experiment,
    backend: str | None = None,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
    on_compiling: Callable[[], None] | None = None,
    *,
    precision: str | None = None,
    device: int | None = None,
    notify: Notify | None = None,
    pixels: ArrayLike,
) -> Photons: ...


def simulate(
    experiment: Experiment,
    backend: str | None = None,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
    on_compiling: Callable[[], None] | None = None,
    *,
    precision: str | None = None,
    device: int | None = None,
    notify: Notify | None = None,
    pixels: ArrayLike | None = None,
) -> Image | Photons:
    """Render an experiment.

    Parameters
    ----------
    experiment : Experiment
        As a `nbnumba.Experiment`.
    backend : {"auto", "cpu", "cuda"}, optional
        "auto" takes a GPU where there is one. What the experiment's command line says by default, else "auto".
    threads : int, optional
        Every core that this process may use by default.
    progress : callable, optional
        Receives the fraction done, a few times a second.
    on_compiling : callable, optional
        Called once when the kernel must be compiled first, which takes some seconds.
    precision : {"auto", "double", "mixed"}, optional
        "mixed" is float32 where that is enough. "auto", the default, is "double" on the processor, and chooses by the
        float64 rate of a GPU. `Image.precision` tells what was taken.
    device : int, optional
        Number of the GPU among the visible ones; the first by default.
    notify : callable, optional
        Receives a line where a GPU is there and the processor renders instead.
    pixels : array_like of int, optional
        Only these are computed: (n, 2) slow and fast of pixels, or (n, 4) fast first and last, slow first and last of
        boxes, bounds included; with the panel before them, (n, 3) and (n, 5), where there are several.

    Returns
    -------
    Image
        With `pixels` the photons alone: an array (n,) of pixels, a list of n arrays of boxes, float32. They are those
        of the image without a region of interest; masked pixels are 0.

    Raises
    ------
    DeviceError
        When the GPU of an explicit "cuda" is not there or fails.
    InputError
        For an unknown backend or precision, more threads than cores, or pixels that are none.
    """
    _check_kind(experiment)
    chosen = experiment.compute
    renderer = Renderer(
        chosen.backend if backend is None else backend,
        chosen.threads if threads is None else threads,
        precision=chosen.precision if precision is None else precision,
        device=chosen.device if device is None else device,
    )
    if pixels is None:
        return renderer.render(experiment, progress, on_compiling, notify)
    return renderer.render(experiment, progress, on_compiling, notify, pixels=pixels)


class Renderer:
    """Renders one experiment after another with the same compute options; what is compiled and loaded is kept.

    Compiled code stays loaded, and a GPU keeps its memory and the reflections. Any number of threads may call
    `render` at once.

    Parameters
    ----------
    backend : {"auto", "cpu", "cuda"}
    threads : int, optional
        Of the processor, for each image; every core that this process may use by default.
    precision : {"auto", "double", "mixed"}
        As of `simulate`.
    device : int, optional
        Number of the GPU among the visible ones; the first by default.

    Raises
    ------
    InputError
        For an unknown backend or precision, or more threads than cores.
    DeviceError
        When the GPU of an explicit "cuda" is not there.
    """

    def __init__(
        self,
        backend: str = "auto",
        threads: int | None = None,
        *,
        precision: str = "auto",
        device: int | None = None,
    ) -> None:
        from .. import kernels

        one_of("backend", backend, BACKENDS)
        one_of("precision", precision, PRECISIONS)
        threads = None if threads is None else whole("threads", threads, 1)
        device = None if device is None else whole("device", device, 0)
        with parameters_called(lambda name, value: name):
            kernels.check_compute_options(backend, threads, device)
        self.backend, self.threads, self.precision, self.device = backend, threads, precision, device

    @overload
    def render(
        self,
        experiment: Experiment,
        progress: Callable[[float], None] | None = None,
        on_compiling: Callable[[], None] | None = None,
        notify: Notify | None = None,
        *,
        pixels: None = None,
    ) -> Image: ...

    @overload
    def render(
        self,
        experiment: Experiment,
        progress: Callable[[float], None] | None = None,
        on_compiling: Callable[[], None] | None = None,
        notify: Notify | None = None,
        *,
        pixels: ArrayLike,
    ) -> Photons: ...

    def render(
        self,
        experiment: Experiment,
        progress: Callable[[float], None] | None = None,
        on_compiling: Callable[[], None] | None = None,
        notify: Notify | None = None,
        *,
        pixels: ArrayLike | None = None,
    ) -> Image | Photons:
        """Render an experiment; see `simulate` for what the callables receive, and for `pixels`."""
        on_compiling = None if on_compiling is None else _once(on_compiling)
        with notices_to(notify):
            if pixels is not None:
                return self._render_pixels(experiment, pixels, progress, on_compiling)
            return self._render(experiment, progress, on_compiling)

    def _render_pixels(
        self,
        experiment: Experiment,
        pixels: ArrayLike,
        progress: Callable[[float], None] | None,
        on_compiling: Callable[[], None] | None,
    ) -> Photons:
        """Render some pixels alone."""
        from .. import kernels

        _check_kind(experiment)
        check_drawable(experiment)

        def render(scenes: Sequence[Scene], surroundings: Sequence[Surroundings]) -> list[NDArray[np.float32]]:
            found = kernels.render_panels(
                scenes, self.backend, self.threads, progress, on_compiling, precision=self.precision,
                device=self.device, few=True, surroundings=surroundings,
            )  # fmt: skip
            return [panel.image for panel in found]

        chosen = chosen_pixels(pixels, experiment)
        return render_pixels(experiment, chosen, render, lambda scene: kernels.find_latch(scene, self.threads))

    def _render(
        self,
        experiment: Experiment,
        progress: Callable[[float], None] | None,
        on_compiling: Callable[[], None] | None,
    ) -> Image:
        _check_kind(experiment)
        check_drawable(experiment)
        start = time.perf_counter()
        passes = split_into_passes(experiment)
        total = Total()
        stack = Stack(experiment)
        surroundings = surroundings_of(experiment)
        for number, part in enumerate(passes):
            scenes = build_scenes(part.experiment)
            reports = None if progress is None else _part_of(progress, number, len(passes))
            rooms = stack.rooms if len(passes) == 1 else []
            around = surroundings if number == len(passes) - 1 else []
            wanted = rendered_panels(experiment)
            total.add(scenes, self._render_panels(scenes, around, wanted, reports, on_compiling, rooms))
        device = (self.device or 0) if total.first[0].backend == "cuda" else None
        return _image(experiment, total, stack.filled(total.images()), device, time.perf_counter() - start)

    def _render_panels(
        self,
        scenes: Sequence[Scene],
        surroundings: Sequence[Surroundings],
        wanted: Sequence[int],
        progress: Callable[[float], None] | None,
        on_compiling: Callable[[], None] | None,
        rooms: Sequence[NDArray[np.float32] | None],
    ) -> list[Rendered]:
        """Render the panels of one pass; those that are not wanted stay dark."""
        from .. import kernels

        found = kernels.render_panels(
            [scenes[place] for place in wanted],
            self.backend,
            self.threads,
            progress,
            on_compiling,
            precision=self.precision,
            device=self.device,
            images=[rooms[place] for place in wanted] if rooms else (),
            surroundings=[surroundings[place] for place in wanted] if surroundings else (),
        )
        drawn = dict(zip(wanted, found, strict=True))
        like = drawn[wanted[0]]
        return [drawn.get(place) or dark(scene, like) for place, scene in enumerate(scenes)]

    def linearize(
        self,
        experiment: Experiment,
        parameters: Parameters | Sequence[str] | str,
        values: ArrayLike | None = None,
    ) -> Linearization:
        """Render an experiment with its derivatives by parameters: by the processor, with backend "cuda" on a GPU.

        Parameters
        ----------
        experiment : Experiment
        parameters : Parameters, or str, or sequence of str
            By `Experiment.parameters`, or a name, or several.
        values : (n,), optional
            Of the parameters; those of the experiment by default.

        Raises
        ------
        InputError
            For a parameter that the image has no derivative by, or values that make no experiment.
        DeviceError
            The GPU that was asked for is not there or fails.
        """
        from ..gradients.parameters import Parameters
        from .linearize import Linearization

        _check_kind(experiment)
        device = (self.device or 0) if self.backend == "cuda" else None
        if not isinstance(parameters, Parameters):
            names = (parameters,) if isinstance(parameters, str) else parameters
            return Linearization(experiment.parameters(*names), values, self.threads, device)
        if parameters.experiment is not experiment:
            raise InputError("parameters: are those of another experiment")
        return Linearization(parameters, values, self.threads, device)

    def render_many(self, experiments: Iterable[Experiment]) -> Iterator[Image]:
        """Render experiments in their order, each when it is asked for."""
        for experiment in experiments:
            yield self.render(experiment)


def _check_kind(experiment: object) -> None:
    if not isinstance(experiment, Experiment):
        raise TypeError(f"an Experiment is needed, not {type(experiment).__name__}")


def _once(call: Callable[[], None]) -> Callable[[], None]:
    """Return what calls it the first time and never again."""
    calls = [call]
    return lambda: calls.pop()() if calls else None


def _part_of(progress: Callable[[float], None], number: int, count: int) -> Callable[[float], None]:
    """Return what reports the progress of one part out of several."""
    return lambda fraction: progress((number + fraction) / count)


def _image(
    experiment: Experiment, total: Total, array: NDArray[np.float32], device: int | None, seconds: float
) -> Image:
    """Put the panels of an image together."""
    first = total.first[0]
    return Image(
        array=array,
        experiment=experiment,
        # The same in every pass: it depends on the detector alone.
        omega_sum=sum(panel.solid_angle for panel in total.first),
        backend=first.backend,
        precision=total.precision,
        threads=first.threads,
        latch_hkl=total.latch_hkl,
        latch=total.latch,
        latches=tuple(total.latches),
        seconds=seconds,
        evaluated_steps=total.evaluated_steps,
        spots=total.spots,
        device=device,
    )
