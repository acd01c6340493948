"""Which pixels are rendered: region of interest and mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..detector.model import Detector
from ..errors import InputError, called
from ..geometry.panel import PanelGeometry
from ..io.contents import content_of
from ..parameters.settings import Settings
from .model import Experiment


def region_of_interest(
    settings: Settings, panel: PanelGeometry
) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """Return -roi as C reports it, and clipped to the detector.

    Returns
    -------
    as_set, clipped : (fast first, fast last, slow first, slow last)
        Bounds are inclusive.

    Raises
    ------
    InputError
        When the region holds no pixel.
    """
    defaults = (0, panel.n_fast, 0, panel.n_slow)
    f0, f1, s0, s1 = (
        default if bound is None or bound < 0 else bound
        for bound, default in zip(settings.sampling.roi, defaults, strict=True)
    )
    clipped = (f0, min(f1, panel.n_fast - 1), s0, min(s1, panel.n_slow - 1))
    if clipped[0] > clipped[1] or clipped[2] > clipped[3]:
        raise InputError(
            f"{called('roi')}: {f0} {f1} {s0} {s1} holds no pixel; allowed are 0 to {panel.n_fast - 1} (fast) "
            f"and 0 to {panel.n_slow - 1} (slow), the smaller bound first"
        )
    return (f0, f1, s0, s1), clipped


def chosen_panel(settings: Settings, panels: int, what: str) -> int:
    """Return the number of the panel that something is of.

    Parameters
    ----------
    settings : Settings
    panels : int
        How many there are.
    what : str
        What needs one panel, as the user calls it.

    Raises
    ------
    InputError
        None is chosen of several, or one that there is not.
    """
    number = settings.sampling.panel
    if number is None:
        if panels > 1:
            raise InputError(
                f"{what}: is of one panel, and there are {panels}; give {called('panel')} 0 to {panels - 1}"
            )
        return 0
    check_panel(settings, panels)
    return number


def rendered_panels(experiment: Experiment) -> range:
    """Return the numbers of the panels that are rendered."""
    chosen, count = experiment.sampling.panel, len(experiment.detector.panels)
    return range(count) if chosen is None or count == 1 else range(chosen, chosen + 1)


def region_of_rows(experiment: Experiment) -> tuple[int, int, int, int]:
    """Return what is rendered of panels that lie one below the other, padded to one size; bounds as those of `roi`."""
    sampling, panels = experiment.sampling, experiment.detector.panels
    if len(panels) == 1:
        return sampling.roi
    n_slow, n_fast = (max(sizes) for sizes in zip(*((panel.n_slow, panel.n_fast) for panel in panels), strict=True))
    if sampling.panel is None:
        return 0, n_fast - 1, 0, len(panels) * n_slow - 1
    f0, f1, s0, s1 = sampling.roi
    above = sampling.panel * n_slow
    return f0, f1, s0 + above, s1 + above


def stacked_mask(detector: Detector) -> NDArray[np.bool_] | None:
    """Return the pixels that are rendered, of an image's shape; None where there is no mask and no padding."""
    panels = detector.panels
    n_slow, n_fast = (max(sizes) for sizes in zip(*((panel.n_slow, panel.n_fast) for panel in panels), strict=True))
    if all(panel.mask is None and (panel.n_slow, panel.n_fast) == (n_slow, n_fast) for panel in panels):
        return None
    mask = np.zeros((len(panels), n_slow, n_fast), dtype=np.bool_)
    for part, panel in zip(mask, panels, strict=True):
        part[: panel.n_slow, : panel.n_fast] = True if panel.mask is None else panel.mask
    return mask[0] if len(panels) == 1 else mask


def good_rows(detector: Detector) -> NDArray[np.bool_]:
    """Return the pixels that are rendered, panels one below the other."""
    mask = stacked_mask(detector)
    if mask is None:
        panel = detector.panels[0]
        return np.ones((len(detector.panels) * panel.n_slow, panel.n_fast), dtype=np.bool_)
    return mask.reshape(-1, mask.shape[-1])


def check_panel(settings: Settings, panels: int) -> None:
    """Refuse a panel that there is not."""
    number = settings.sampling.panel
    if number is not None and number >= panels:
        raise InputError("panel", number, f"is no panel of this detector; allowed: 0 to {panels - 1}")


def with_mask(settings: Settings, detector: Detector) -> Detector:
    """Read -mask for all panels; its pixels are skipped, and those that the panels' own file marks.

    A mask of several panels holds them one below the other, as a float image does, or has the size of each of them.
    """
    if settings.detector.mask_file is None:
        return detector
    from ..io import mask_file

    data = content_of(mask_file.read, settings.detector.mask_file, called("mask"))
    panels = detector.panels
    n_slow, n_fast = (max(sizes) for sizes in zip(*((panel.n_slow, panel.n_fast) for panel in panels), strict=True))
    alike = all((panel.n_slow, panel.n_fast) == (n_slow, n_fast) for panel in panels)
    if data.shape == (len(panels) * n_slow, n_fast):
        parts = data.reshape(len(panels), n_slow, n_fast)
    elif alike and data.shape == (n_slow, n_fast):
        parts = np.broadcast_to(data, (len(panels), n_slow, n_fast))
    else:
        several = f", or {n_fast} x {len(panels) * n_slow} for all {len(panels)} panels" if len(panels) > 1 else ""
        raise InputError(
            f"{called('mask')} {settings.detector.mask_file}: the mask has {data.shape[1]} x {data.shape[0]} "
            f"pixels, the detector {n_fast} x {n_slow} (fast x slow){several}; the two must be the same"
        )
    masks = [np.asarray(part[: panel.n_slow, : panel.n_fast] != 0) for panel, part in zip(panels, parts, strict=True)]
    return replace(
        detector,
        panels=tuple(
            replace(panel, mask=mask if panel.mask is None else mask & panel.mask)
            for panel, mask in zip(panels, masks, strict=True)
        ),
    )
