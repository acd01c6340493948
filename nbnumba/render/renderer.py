"""Experiment -> image."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..experiment.drawable import check_drawable
from ..experiment.model import ExperimentRecord
from ..experiment.scene import build_scenes
from ..kernels.scene import NEVER, Scene
from ..util.checks import one_of, whole
from ..util.messages import Notify, notices_to
from .background import add_background
from .image import Image

if TYPE_CHECKING:
    from ..kernels.types import Rendered

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
        from .. import kernels

        _check_kind(experiment)
        check_drawable(experiment)
        start = time.perf_counter()
        count = len(experiment.detector.panels)
        scenes = build_scenes(experiment)
        rendered = [
            kernels.render(
                scene,
                self.backend,
                self.threads,
                None if progress is None else _part_of(progress, number, count),
                on_compiling,
                precision=self.precision,
                device=self.device,
            )
            for number, scene in enumerate(scenes)
        ]
        add_background(experiment, scenes, [panel.image for panel in rendered], self.threads)
        return _image(experiment, scenes, rendered, time.perf_counter() - start)

    def render_many(self, experiments: Iterable[ExperimentRecord]) -> Iterator[Image]:
        """Render experiments in their order, each when it is asked for."""
        for experiment in experiments:
            yield self.render(experiment)


def _check_kind(experiment: object) -> None:
    if not isinstance(experiment, ExperimentRecord):
        raise TypeError(f"an Experiment is needed, not {type(experiment).__name__}")


def _part_of(progress: Callable[[float], None], number: int, count: int) -> Callable[[float], None]:
    """Return what reports the progress of one panel out of several."""
    return lambda fraction: progress((number + fraction) / count)


def _image(
    experiment: ExperimentRecord, scenes: Sequence[Scene], rendered: Sequence[Rendered], seconds: float
) -> Image:
    """Put the panels of an image together."""
    from .. import kernels

    array = rendered[0].image if len(rendered) == 1 else _stacked([panel.image for panel in rendered])
    first = rendered[0]
    latched = next((i for i, panel in enumerate(rendered) if panel.latch != NEVER), 0)
    latch = rendered[latched].latch
    return Image(
        array=array,
        experiment=experiment,
        omega_sum=sum(panel.solid_angle for panel in rendered),
        backend=first.backend,
        precision=first.precision,
        threads=first.threads,
        latch_hkl=kernels.sample_hkl(scenes[latched], latch) if latch != NEVER else None,
        latch=latch,
        seconds=seconds,
        evaluated_steps=sum(panel.evaluated_steps for panel in rendered),
        spots=sum(panel.spots for panel in rendered),
    )


def _stacked(panels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return panels as one array, padded with 0 to the size of the largest."""
    n_slow, n_fast = (max(panel.shape[axis] for panel in panels) for axis in (0, 1))
    stack = np.zeros((len(panels), n_slow, n_fast), dtype=np.float32)
    for place, panel in zip(stack, panels, strict=True):
        place[: panel.shape[0], : panel.shape[1]] = panel
    return stack
