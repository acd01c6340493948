"""The trace of a pixel of any image: the passes that are added up in it, and the first of them in every detail."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ..background.material import Material
from ..experiment.model import Experiment
from ..experiment.passes import split_into_passes
from ..experiment.scene import build_scene, build_surroundings
from ..kernels.scene import NEVER, Scene
from .walk import Quantity, Trace, background_at, trace_pixel


def trace_image(
    experiment: Experiment,
    pixel: tuple[int, int],
    stored: float,
    latches: Sequence[Sequence[int]] = (),
    panel: int = 0,
) -> tuple[Trace, list[Scene]]:
    """Follow one pixel through the sum, pass by pass.

    Parameters
    ----------
    experiment : Experiment
    pixel : (slow, fast)
        A rendered one, see `nbnumba.trace.walk.check_pixel`.
    stored : float [photons]
        The value that the image holds there.
    latches : sequence of sequence of int
        Latch of every panel in every pass, as `nbnumba.render.image.Image.latches`.
    panel : int
        The panel of the pixel.

    Returns
    -------
    Trace, list of Scene
        The scenes are those of the passes.
    """
    passes = split_into_passes(experiment)
    of_panel = [latch[panel] for latch in latches] or [NEVER] * len(passes)
    scenes = [
        build_scene(part.experiment, panel).replace(latch=latch) for part, latch in zip(passes, of_panel, strict=True)
    ]
    number = panel if len(experiment.detector.panels) > 1 else None
    if len(passes) == 1:
        only = trace_pixel(passes[0].experiment, scenes[0], pixel, stored)
        return dataclasses.replace(only, panel=number), scenes
    traces = [
        trace_pixel(_alone(part.experiment), scene, pixel, stored) for part, scene in zip(passes, scenes, strict=True)
    ]
    background = background_at(experiment, build_surroundings(experiment)[panel], *pixel)
    photons = [_number(trace.quantities["I_pixel_final"]) for trace in traces]
    entries: list[dict[str, float | int]] = [
        {
            "pass": number,
            "crystal": part.crystal,
            "photons": photons[number],
            "share": part.experiment.share,
            "I_before_scaling": _number(trace.quantities["I_before_scaling"]),
            "F_latt": _number(trace.quantities["F_latt"]),
            "F_cell": _number(trace.quantities["F_cell"]),
        }
        for number, (part, trace) in enumerate(zip(passes, traces, strict=True))
    ]
    whole = traces[0].quantities | {"I_pixel_final": sum(photons) + background}
    first = dataclasses.replace(traces[0], quantities=whole, background=background, passes=entries, panel=number)
    return first, scenes


def _alone(experiment: Experiment) -> Experiment:
    """Take away the materials, which are added once to the sum of all passes."""
    rest = tuple(material for material in experiment.background if not isinstance(material, Material))
    return dataclasses.replace(experiment, background=rest)


def _number(value: Quantity) -> float:
    assert not isinstance(value, tuple)
    return float(value)
