"""The trace of a pixel as JSON: every sub-pixel, source, phi step and mosaic domain, with units."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from ..experiment.model import Experiment
from ..io.atomic import whole_file
from ..kernels.scene import Scene
from ..version import __version__
from .walk import UNITS, Step, Trace, walk

FORMAT = "nbnumba trace"
VERSION = 1

# Of the entries whose units do not follow from their names.
_LINE_UNITS = {"phi_deg": "deg", "lambda_meters": "m", "depth_meters": "m", "R_distance_meters": "m"}
_LINE_UNITS |= {"F_cell": "electrons", "photons": "photons"}
_LINE_UNITS |= {"I_before_scaling": "electrons^2"}
_PLACE_UNITS = {"position": "m", "distance": "m", "depth": "m", "solid_angle": "sr"}
_RAY_UNITS = {"wavelength": "m", "scattering_vector": "1/m", "sum_after": "electrons^2"}
_SAMPLE_UNITS = {"F_cell": "electrons", "term": "electrons^2"}


def write(path: str, trace: Trace, experiment: Experiment, scenes: Sequence[Scene]) -> None:
    """Write a trace with all its samples; it is never held in memory as a whole.

    Parameters
    ----------
    path : str
    trace : Trace
    experiment : Experiment
    scenes : sequence of Scene
        Of every pass of the trace.

    Raises
    ------
    FileError
        When the file cannot be written.
    """
    with whole_file(path) as file:
        for piece in _pieces(trace, experiment, scenes):
            file.write(piece.encode())


def _pieces(trace: Trace, experiment: Experiment, scenes: Sequence[Scene]) -> Iterator[str]:
    """Yield the text of the file."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": f"nbnumba {__version__}",
        "semantics": str(experiment.semantics),
        "pixel": {"slow": trace.slow, "fast": trace.fast} | ({} if trace.panel is None else {"panel": trace.panel}),
        "units": {
            "quantities": {name: unit for name, unit in UNITS.items() if unit},
            "passes, phi_steps, sources, layers, neighbors": _LINE_UNITS,
            "sub_pixels": _PLACE_UNITS,
            "rays": _RAY_UNITS,
            "samples": _SAMPLE_UNITS,
            "orientations": "Angstrom",
        },
        "quantities": trace.quantities,
        "water_photons": trace.water,
        "background_photons": trace.background,
        "phi_steps": trace.phi_steps,
        "sources": trace.sources,
        "layers": trace.layers,
        "neighbors": trace.neighbors,
        "sample_axes": ["phi_step", "mosaic_domain"],
    }
    if trace.passes:
        head["passes"] = trace.passes
    for name, value in head.items():
        yield f"{'{' if name == 'format' else ','}\n{json.dumps(name)}: {_json(value)}"
    yield ',\n"orientation_axes": ["phi_step", "mosaic_domain", "a b c", "x y z"],\n'
    yield from _sum(trace, scenes[0])
    if len(scenes) > 1:
        yield ',\n"further_passes": ['
        for number, scene in enumerate(scenes[1:]):
            yield f"{',' if number else ''}\n{{"
            yield from _sum(trace, scene)
            yield "}"
        yield "]"
    yield "\n}\n"


def _sum(trace: Trace, scene: Scene) -> Iterator[str]:
    """Yield the orientations of a pass and all its samples."""
    yield '"orientations": ['
    for number, of_phi_step in enumerate(scene.orientations.reshape(-1, scene.domains, 3, 3)):
        yield f"{',' if number else ''}\n {_json((of_phi_step * 1e10).tolist())}"
    yield f'],\n"orientation_weights": {_json(scene.weights.reshape(-1, scene.domains).tolist())}'
    yield ',\n"sub_pixels": ['
    steps = walk(scene, trace.slow, trace.fast)
    for number, (_, rays) in enumerate(groupby(steps, key=lambda step: (step.layer, step.sub_slow, step.sub_fast))):
        for step in rays:
            if step.source == 0:
                place = _json(_place(scene, step))
                yield f'{"," if number else ""}\n{place[:-1]}, "rays": ['
            yield f"{',' if step.source else ''}\n {_json(_ray(scene, step))[:-1]}, "
            yield from _samples(scene, step)
        yield "]}"
    yield "]"


def _place(scene: Scene, step: Step) -> dict[str, Any]:
    place = step.place
    return {
        "layer": step.layer,
        "sub_slow": step.sub_slow,
        "sub_fast": step.sub_fast,
        "depth": step.layer * scene.layer_step,
        "position": [place.x, place.y, place.z],
        "distance": place.distance,
        "diffracted": [place.dx, place.dy, place.dz],
        "solid_angle": place.solid_angle,
        "obliquity": place.obliquity,
        "parallax": place.parallax,
        "capture_fraction": place.capture,
    }


def _ray(scene: Scene, step: Step) -> dict[str, Any]:
    ray = step.ray
    *incident, inverse_wavelength, weight = scene.sources[step.source].tolist()
    return {
        "source": step.source,
        "incident": incident,
        "wavelength": 1.0 / inverse_wavelength,
        "weight": weight,
        "scattering_vector": [ray.qx, ray.qy, ray.qz],
        "passes_dmin": bool(ray.passes),
        "polarization": ray.polarization,
        "cos_two_theta": ray.cos_two_theta,
        "in_use": {
            "capture_fraction": step.capture,
            "polarization": step.polarization,
            "solid_angle": step.solid_angle,
        },
        "sum_after": step.total,
    }


def _samples(scene: Scene, step: Step) -> Iterator[str]:
    """Yield the end of a ray's entry: a table of phi steps and domains for each quantity of its samples."""
    yield '"samples": {'
    for number, (name, column) in enumerate(step.samples._asdict().items()):
        yield f"{', ' if number else ''}{json.dumps(name)}: ["
        for row, of_phi_step in enumerate(column.reshape(-1, scene.domains)):
            yield f"{', ' if row else ''}{_json(of_phi_step.tolist())}"
        yield "]"
    yield "}}"


def _json(value: Any) -> str:
    """Return a value as JSON, which has no NaN: null stands for one."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_without_nan(value), allow_nan=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
