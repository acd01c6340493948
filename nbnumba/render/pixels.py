"""Some pixels of an image alone: a list of them, or boxes around spots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..experiment.model import Experiment
from ..experiment.passes import split_into_passes
from ..experiment.scene import build_scenes, mask_of
from ..kernels.background.bodies import Surroundings
from ..kernels.scene import Scene
from .background import surroundings_of

Photons = NDArray[np.float32] | list[NDArray[np.float32]]

_SHAPES = "(n, 2) of slow, fast; (n, 3) of panel, slow, fast; (n, 4) of fast first, fast last, slow first, slow last"


@dataclass(frozen=True, eq=False)
class ChosenPixels:
    """Pixels of a detector.

    Attributes
    ----------
    boxes : (n, 5) int
        Panel, fast first, fast last, slow first, slow last; inclusive.
    listed : bool
        Whether every box is a pixel of a list.
    """

    boxes: NDArray[np.int64]
    listed: bool

    def wanted(self, panel: int, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Return which pixels of a panel are among them; None where none is."""
        boxes = self.boxes[self.boxes[:, 0] == panel]
        if len(boxes) == 0:
            return None
        wanted = np.zeros(shape, dtype=np.bool_)
        if self.listed:
            wanted[boxes[:, 3], boxes[:, 1]] = True
        else:
            for _, f0, f1, s0, s1 in boxes:
                wanted[s0 : s1 + 1, f0 : f1 + 1] = True
        return wanted

    def bounds(self, panel: int) -> tuple[int, int, int, int]:
        """Return the smallest region of a panel that holds them: fast first and last, slow first and last."""
        boxes = self.boxes[self.boxes[:, 0] == panel]
        return int(boxes[:, 1].min()), int(boxes[:, 2].max()), int(boxes[:, 3].min()), int(boxes[:, 4].max())

    def taken_from(self, images: Mapping[int, NDArray[np.float32]]) -> Photons:
        """Return the photons of the pixels: one array of a list, an array for each box."""
        if self.listed:
            photons = np.zeros(len(self.boxes), dtype=np.float32)
            for panel in np.unique(self.boxes[:, 0]):
                here = self.boxes[:, 0] == panel
                photons[here] = images[int(panel)][self.boxes[here, 3], self.boxes[here, 1]]
            return photons
        return [images[int(panel)][s0 : s1 + 1, f0 : f1 + 1].copy() for panel, f0, f1, s0, s1 in self.boxes]


def chosen_pixels(pixels: ArrayLike, experiment: Experiment) -> ChosenPixels:
    """Read a choice of pixels.

    Raises
    ------
    InputError
        It has another shape than is allowed, holds other than whole numbers, or a pixel that is on no panel.
    """
    try:
        given = np.asarray(pixels)
    except ValueError:
        given = np.zeros(0)
    if given.ndim != 2 or given.shape[1] not in (2, 3, 4, 5) or len(given) == 0 or given.dtype.kind not in "iu":
        raise InputError(
            f"pixels: {given.dtype} of shape {given.shape} are none; allowed: whole numbers of shape {_SHAPES}; (n, 5) "
            "of the same after the panel"
        )
    panels = experiment.detector.panels
    columns = given.astype(np.int64)
    if columns.shape[1] in (2, 4):
        if len(panels) > 1:
            raise InputError(f"pixels: the panel of each must be told, as there are {len(panels)}; allowed: {_SHAPES}")
        columns = np.column_stack([np.zeros(len(columns), dtype=np.int64), columns])
    listed = columns.shape[1] == 3
    if listed:
        columns = columns[:, [0, 2, 2, 1, 1]]
    sizes = np.array([(panel.n_fast, panel.n_slow) for panel in panels])
    there = (columns[:, 0] >= 0) & (columns[:, 0] < len(panels))
    n_fast, n_slow = sizes[np.where(there, columns[:, 0], 0)].T
    _, f0, f1, s0, s1 = columns.T
    good = there & (f0 >= 0) & (f0 <= f1) & (f1 < n_fast) & (s0 >= 0) & (s0 <= s1) & (s1 < n_slow)
    if not good.all():
        number = int(np.argmin(good))
        place = " ".join(map(str, given[number].tolist()))
        raise InputError(f"pixels: number {number}, {place}, is not on the detector, or holds no pixel")
    return ChosenPixels(columns, listed)


def render_pixels(
    experiment: Experiment,
    chosen: ChosenPixels,
    render: Callable[[Sequence[Scene], Sequence[Surroundings]], Sequence[NDArray[np.float32]]],
    latch: Callable[[Scene], int],
) -> Photons:
    """Render the chosen pixels alone.

    Parameters
    ----------
    experiment : Experiment
        Its region counts for the interpolation latch alone; masked pixels are 0.
    chosen : ChosenPixels
    render : callable
        Renders scenes of panels and, where there are any, their surroundings.
    latch : callable
        Finds the sample of a panel that switches interpolation off, as C.
    """
    masks = [mask_of(panel) for panel in experiment.detector.panels]  # those of panels that are not rendered too
    panels = [int(panel) for panel in np.unique(chosen.boxes[:, 0])]
    passes, drawn = split_into_passes(experiment), []
    surroundings = surroundings_of(experiment)
    for number, part in enumerate(passes):
        scenes = build_scenes(part.experiment)
        around = surroundings if number == len(passes) - 1 else []
        drawn.append(
            render(
                [_only(scenes[panel].replace(mask=masks[panel]), chosen, panel, latch) for panel in panels],
                [
                    around[panel]._replace(
                        scene=_only(around[panel].scene.replace(mask=masks[panel]), chosen, panel, None)
                    )
                    for panel in panels
                    if around
                ],
            )
        )
    images = dict(zip(panels, map(_sum, zip(*drawn, strict=True)), strict=True))
    return chosen.taken_from(images)


def _sum(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Add up passes as an image does."""
    if len(parts) == 1:
        return parts[0]
    with np.errstate(over="ignore"):
        return np.asarray(np.sum(parts, axis=0, dtype=np.float64), dtype=np.float32)


def _only(scene: Scene, chosen: ChosenPixels, panel: int, latch: Callable[[Scene], int] | None) -> Scene:
    """Return a scene whose region and mask leave the chosen pixels."""
    wanted = chosen.wanted(panel, (scene.n_slow, scene.n_fast))
    assert wanted is not None
    mask = wanted.view(np.uint8)
    if len(scene.mask):
        mask = mask & scene.mask
    f0, f1, s0, s1 = chosen.bounds(panel)
    changes = {"fast_first": f0, "fast_last": f1, "slow_first": s0, "slow_last": s1}
    if latch is not None and scene.interpolate and scene.latching:
        # Of the whole panel: what comes before the chosen pixels may switch it off.
        changes |= {"latch": latch(scene), "latching": False}
    return scene.replace(mask=mask, **changes)
