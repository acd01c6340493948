"""Experiment -> image."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..experiment.drawable import check_drawable
from ..experiment.model import ExperimentRecord
from ..experiment.passes import split_into_passes
from ..experiment.scene import build_scenes
from ..kernels.scene import NEVER, Scene
from ..util.checks import one_of, whole
from ..util.messages import Notify, notices_to
from .background import add_background
from .image import Image

if TYPE_CHECKING:
    from ..gradients.parameters import Parameters
    from ..kernels.types import Rendered
    from .linearize import Linearization

BACKENDS = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "double", "mixed")


def simulate(
    experiment: ExperimentRecord,
    backend: str | None = None,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
    on_compiling: Callable[[], None] | None = None,
    *,
    precision: str | None = None,
    device: int | None = None,
    notify: Notify | None = None,
) -> Image:
    """Render an experiment.

    Parameters
    ----------
    experiment : ExperimentRecord
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
        Of a GPU; "auto", the default, chooses by its float64 rate.
    device : int, optional
        Number of the GPU among the visible ones; the first by default.
    notify : callable, optional
        Receives a line where a GPU is there and the processor renders instead.

    Raises
    ------
    DeviceError
        When the GPU of an explicit "cuda" is not there or fails.
    InputError
        For an unknown backend or precision, or more threads than cores.
    """
    _check_kind(experiment)
    chosen = experiment.compute
    renderer = Renderer(
        chosen.backend if backend is None else backend,
        chosen.threads if threads is None else threads,
        precision=chosen.precision if precision is None else precision,
        device=chosen.device if device is None else device,
    )
    return renderer.render(experiment, progress, on_compiling, notify)


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
        Of a GPU.
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
        threads = None if threads is None else whole("threads", threads, 0)
        device = None if device is None else whole("device", device, 0)
        kernels.check_compute_options(backend, threads, device)
        self.backend, self.threads, self.precision, self.device = backend, threads, precision, device

    def render(
        self,
        experiment: ExperimentRecord,
        progress: Callable[[float], None] | None = None,
        on_compiling: Callable[[], None] | None = None,
        notify: Notify | None = None,
    ) -> Image:
        """Render an experiment; see `simulate` for what the callables receive."""
        with notices_to(notify):
            return self._render(experiment, progress, on_compiling)

    def _render(
        self,
        experiment: ExperimentRecord,
        progress: Callable[[float], None] | None,
        on_compiling: Callable[[], None] | None,
    ) -> Image:
        _check_kind(experiment)
        check_drawable(experiment)
        start = time.perf_counter()
        passes = split_into_passes(experiment)
        total = _Total()
        for number, part in enumerate(passes):
            scenes = build_scenes(part.experiment)
            reports = None if progress is None else _part_of(progress, number, len(passes))
            total.add(scenes, self._render_panels(scenes, reports, on_compiling))
        images = total.images()
        # What surrounds the crystals meets all sources, whichever pass they are in.
        add_background(experiment, images, self.threads)
        return _image(experiment, total, images, time.perf_counter() - start)

    def _render_panels(
        self,
        scenes: Sequence[Scene],
        progress: Callable[[float], None] | None,
        on_compiling: Callable[[], None] | None,
    ) -> list[Rendered]:
        """Render the panels of one pass."""
        from .. import kernels

        return [
            kernels.render(
                scene,
                self.backend,
                self.threads,
                None if progress is None else _part_of(progress, number, len(scenes)),
                on_compiling,
                precision=self.precision,
                device=self.device,
            )
            for number, scene in enumerate(scenes)
        ]

    def linearize(
        self,
        experiment: ExperimentRecord,
        parameters: Parameters | Sequence[str],
        values: ArrayLike | None = None,
    ) -> Linearization:
        """Render an experiment with its derivatives by parameters, on the processor.

        Parameters
        ----------
        experiment : ExperimentRecord
        parameters : Parameters or sequence of str
            By `Experiment.parameters`, or their names.
        values : (n,), optional
            Of the parameters; those of the experiment by default.

        Raises
        ------
        InputError
            For a parameter that the image has no derivative by, values that make no experiment, or backend "cuda".
        """
        from ..gradients.parameters import Parameters, parameters_of
        from .linearize import Linearization

        _check_kind(experiment)
        if self.backend == "cuda":
            raise InputError("backend: 'cuda' has no derivatives; allowed here: auto, cpu")
        if not isinstance(parameters, Parameters):
            parameters = parameters_of(experiment, parameters)
        elif parameters.experiment is not experiment:
            raise InputError("parameters: are those of another experiment")
        return Linearization(parameters, values, self.threads)

    def render_many(self, experiments: Iterable[ExperimentRecord]) -> Iterator[Image]:
        """Render experiments in their order, each when it is asked for."""
        for experiment in experiments:
            yield self.render(experiment)


def _check_kind(experiment: object) -> None:
    if not isinstance(experiment, ExperimentRecord):
        raise TypeError(f"an Experiment is needed, not {type(experiment).__name__}")


def _part_of(progress: Callable[[float], None], number: int, count: int) -> Callable[[float], None]:
    """Return what reports the progress of one part out of several."""
    return lambda fraction: progress((number + fraction) / count)


class _Total:
    """The sum of passes, and what is reported of them."""

    def __init__(self) -> None:
        self.first: list[Rendered] = []  # panels of the first pass
        self.latches: list[int] = []  # of the first panel in each pass
        self.latch = NEVER
        self.latch_hkl: tuple[float, float, float] | None = None
        self.evaluated_steps = self.spots = 0
        self._sums: list[NDArray[np.float64]] = []

    def add(self, scenes: Sequence[Scene], panels: list[Rendered]) -> None:
        """Add a pass; a single one is kept as it is."""
        from .. import kernels

        if not self.first:
            self.first = panels
        else:
            if not self._sums:
                self._sums = [panel.image.astype(np.float64) for panel in self.first]
            for total, panel in zip(self._sums, panels, strict=True):
                total += panel.image
        self.latches.append(panels[0].latch)
        tripped = next((i for i, panel in enumerate(panels) if panel.latch != NEVER), None)
        if self.latch_hkl is None and tripped is not None:
            self.latch = panels[tripped].latch
            self.latch_hkl = kernels.sample_hkl(scenes[tripped], self.latch)
        self.evaluated_steps += sum(panel.evaluated_steps for panel in panels)
        self.spots += sum(panel.spots for panel in panels)

    def images(self) -> list[NDArray[np.float32]]:
        """Return the photons of every panel."""
        if not self._sums:
            return [panel.image for panel in self.first]
        with np.errstate(over="ignore"):
            return [total.astype(np.float32) for total in self._sums]


def _image(experiment: ExperimentRecord, total: _Total, images: Sequence[NDArray[np.float32]], seconds: float) -> Image:
    """Put the panels of an image together."""
    first = total.first[0]
    return Image(
        array=images[0] if len(images) == 1 else _stacked(images),
        experiment=experiment,
        # The same in every pass: it depends on the detector alone.
        omega_sum=sum(panel.solid_angle for panel in total.first),
        backend=first.backend,
        precision=first.precision,
        threads=first.threads,
        latch_hkl=total.latch_hkl,
        latch=total.latch,
        latches=tuple(total.latches),
        seconds=seconds,
        evaluated_steps=total.evaluated_steps,
        spots=total.spots,
    )


def _stacked(panels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return panels as one array, padded with 0 to the size of the largest."""
    n_slow, n_fast = (max(panel.shape[axis] for panel in panels) for axis in (0, 1))
    stack = np.zeros((len(panels), n_slow, n_fast), dtype=np.float32)
    for place, panel in zip(stack, panels, strict=True):
        place[: panel.shape[0], : panel.shape[1]] = panel
    return stack
