"""Renders on the CUDA simulator; run by test_twins.py in a process of its own, with the simulator switched on.

`python simulated.py PRECISION OUT.npz` runs in a folder that holds the inputs of the golden cases.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from nbnumba import kernels
from nbnumba.experiment.resolve import resolve
from nbnumba.experiment.scene import build_scene
from nbnumba.kernels.cpu import spot_driver
from nbnumba.kernels.cuda import kernel as cuda
from nbnumba.kernels.cuda import spot_job
from nbnumba.kernels.cuda.renderer import DeviceRenderer
from nbnumba.kernels.random import counter as counter_random
from nbnumba.kernels.scene import Scene
from nbnumba.parameters.parser import parse

_BASE = "-nonoise -nodump -lambda 1 -distance 100 -detpixels 9 -pixel 9 "
_LYSOZYME = _BASE + "-mat lyso.mat -hkl lyso.hkl -N 7 -oversample 1 "
_MANY = "-mosaic 1 -mosaic_domains 2 -dispersion 4 -dispsteps 2 -oversample 2 "
_FEW = "-mosaic 1 -mosaic_domains 3 "
_CUBIC = _BASE + "-mat triclinic.mat -hkl triclinic.hkl -N 1 -interpolate -oversample 1 -pixel 3 -Xbeam 4 -Ybeam 4 "
_THICK = "-detector_abs 300 -detector_thick 450 -detector_thicksteps 2 "
_SWITCHES = "-oversample_thick -oversample_polar -oversample_omega -polar 0.9 "

# Small pictures that take every way through the kernels.
COMMANDS = {
    "square": _LYSOZYME + _MANY,
    "round": _LYSOZYME + "-round_xtal " + _FEW,
    "gauss": _LYSOZYME + "-gauss_xtal -fudge 0.001 " + _FEW,
    "tophat": _LYSOZYME + "-tophat_spots -fudge 0.0002 " + _FEW,
    "gauss_argchk": _LYSOZYME + "-shape gauss_argchk -N 5 -Nd 2 -Ne 1 -Nf -1 -fudge 0.5 " + _FEW,
    "gauss_star": _LYSOZYME + "-shape gauss_star -N 4 -fudge 0.3 " + _FEW,
    "tophat_abc": _LYSOZYME + "-shape tophat_abc -N 5 -fudge 0.1 " + _FEW,
    "peak": _BASE + "-cell 50 50 50 90 90 90 -default_F 30 -N 5 -oversample 1",
    "rotation": _LYSOZYME + "-phi 5 -osc 2 -phisteps 3",
    "cubic": _CUBIC,
    "cubic exact": _CUBIC + "-semantics exact",
    "cubic round": _CUBIC + "-N 3 -round_xtal -pixel 2 -Xbeam 2 -Ybeam 10",
    "cubic gauss exact": _CUBIC + "-N 2 -gauss_xtal -fudge 0.001 -semantics exact",
    "sensor": _LYSOZYME + _THICK,
    "sensor exact": _LYSOZYME + _THICK + "-semantics exact -oversample 2",
    "switches": _LYSOZYME + _THICK + _SWITCHES + "-oversample 2",
    "switches exact": _LYSOZYME + _THICK + _SWITCHES + "-oversample 2 -semantics exact",
    "switches round": _LYSOZYME + "-round_xtal -oversample_omega -oversample 2",
    "switches tophat": _LYSOZYME + "-tophat_spots -fudge 0.0002 -oversample_polar -oversample 2",
    "switches cubic": _CUBIC + "-oversample_omega -oversample 2",
    "curved": _LYSOZYME + "-curved_det -oversample 2",
    "curved exact": _LYSOZYME + "-curved_det -semantics exact " + _THICK,
    "water": _LYSOZYME + "-water 20 -dmin 1.3",
    "water exact": _LYSOZYME + "-water 20 -dmin 1.3 -semantics exact " + _FEW,
    "water exact switches": _LYSOZYME + "-water 20 -semantics exact " + _THICK + _SWITCHES,
    "weights exact": _LYSOZYME + "-sourcefile two_sources.txt -semantics exact -oversample 2",
    "region": _LYSOZYME + "-detpixels 40 -pixel 2 -roi 15 22 16 22",
    "mask": _LYSOZYME + "-mask mask.img -detpixels 128 -pixel 0.8 -roi 57 66 60 68",
    "point_pixel": _LYSOZYME + "-point_pixel -nopolar",
}
# The same of lists of spots, by all ways through their kernels.
_SPOTS = "-nonoise -nodump -lambda 1 -distance 100 -detpixels 9 -pixel 7 -cell 20 24 16 80 95 100 -default_F 20 "
SPOT_COMMANDS = {
    "spots": _SPOTS + "-gauss_xtal -N 3 -oversample 1 -mosaic 1 -mosaic_domains 2 -semantics exact",
    "spots apart": _SPOTS + "-shape gauss_argchk -N 12 -oversample 2 -dispersion 4 -dispsteps 2 " + _THICK,
    "spots tophat": _SPOTS + "-shape tophat_abc -N 3 -oversample 1 -roi 1 6 0 7 -water 20",
    "spots in closed form": _SPOTS + "-shape gauss_abc -N 9 -oversample 1 -spread continuous -mosaic 2 -water 20",
}
MEANS = np.geomspace(1e-3, 1e8, 240).astype(np.float32).reshape(16, 15)


def scene_of(command: str) -> Scene:
    """Build the scene of a command line."""
    return build_scene(resolve(parse(command.split()).settings))


def _planned(scene: Scene, _: object) -> spot_driver.SpotPlan | None:
    """Plan lists of spots wherever they can draw a scene, for one pair at a time where there are two sources."""
    planned = spot_driver.forced_plan(scene)
    assert planned is not None
    return planned._replace(block=1) if len(scene.sources) == 2 else planned


def main(precision: str, out: str) -> None:
    """Render everything and save it."""
    start = time.perf_counter()
    found: dict[str, object] = {}
    spot_progress: list[float] = []
    with DeviceRenderer(precision=precision) as renderer:
        scenes = {name: scene_of(command) for name, command in COMMANDS.items()}
        for name, scene in scenes.items():
            rendered = renderer.render(scene)
            found[name] = rendered.image
            found[f"{name} latch"] = rendered.latch
            found[f"{name} solid angle"] = rendered.solid_angle
        with DeviceRenderer(precision=precision, launch_steps=200, planner=_planned) as listing:
            for name, command in SPOT_COMMANDS.items():
                rendered = listing.render(scene_of(command), spot_progress.append)
                found[name], found[f"{name} listed"] = rendered.image, rendered.spots
                found[f"{name} solid angle"] = rendered.solid_angle
            spot_job._MOST_SPOTS = found["spots listed"] // 3  # type: ignore[operator]
            rendered = listing.render(scene_of(SPOT_COMMANDS["spots"]))
            found["spots in parts"], found["spots in parts listed"] = rendered.image, rendered.spots
        found["progress of spots"] = spot_progress
        some = ["square", "cubic", "square", "water exact switches", "mask"]
        for i, rendered in enumerate(renderer.render_many(scenes[name] for name in some)):
            found[f"many {i} {some[i]}"] = rendered.image
        counts, photons, overloads = renderer.draw_noise(MEANS, (2, 13, 1, 15), 40.0, 9, 3)
        found["noise"], found["noise sums"] = counts, (photons, overloads)
        seen: list[float] = []
        with DeviceRenderer(precision=precision, launch_steps=150) as small:
            for name in ("square", "switches", "cubic", "water exact switches"):
                found[f"pieces {name}"] = small.render(scenes[name], seen.append).image
        found["progress"] = seen
        found["table is kept"] = _table_is_kept(renderer, scenes["square"])
        found["mask is read again"] = _mask_is_read_again(renderer, scenes["mask"])
        found["slots after a failure"] = _slots_after_a_failure(renderer)
    found["renderers of threads"] = len(set(_renderers_of_threads(precision)))
    found["simulated"] = cuda.SIMULATED
    found["plain count"] = counter_random.poisson_count(12.5, np.uint64(1), np.uint64(2), np.uint64(3))
    found["seconds"] = time.perf_counter() - start
    np.savez(out, **found)  # type: ignore[arg-type]


def _slots_after_a_failure(renderer: DeviceRenderer) -> tuple[int, int]:
    """Return the number of slots before and after noise whose offset is no number, which is found late."""
    before = len(renderer._free)
    with contextlib.suppress(ValueError):
        renderer.draw_noise(MEANS, (2, 13, 1, 15), "forty", 9, 3)  # type: ignore[arg-type]
    return before, len(renderer._free)


def _renderers_of_threads(precision: str) -> list[int]:
    """Return the identities of the renderers that threads get which ask at the same time."""
    count = 8
    together = threading.Barrier(count)

    def ask(_: int) -> DeviceRenderer:
        together.wait()
        return kernels.renderer(None, precision)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    with ThreadPoolExecutor(count) as pool:
        renderers = list(pool.map(ask, range(count)))  # all alive, so that no two have the same identity
    sys.setswitchinterval(interval)
    return [id(renderer) for renderer in renderers]


def _table_is_kept(renderer: DeviceRenderer, scene: Scene) -> bool:
    """Tell whether a second image of the same reflections uses those on the device, and another table does not."""
    renderer.render(scene)
    first = _devices(renderer)
    renderer.render(scene.replace(orientations=scene.orientations.copy(), N=np.diag([3.0, 7.0, 7.0])))
    second = _devices(renderer)
    renderer.render(scene.replace(flat=scene.flat * 2.0))
    third = _devices(renderer)
    kept = all(a is b for a, b in zip(first, second, strict=True))
    return kept and any(a is not b for a, b in zip(second, third, strict=True))


def _mask_is_read_again(renderer: DeviceRenderer, scene: Scene) -> bool:
    """Tell whether a mask that is changed in place takes effect."""
    own = scene.replace(mask=scene.mask.copy())
    before = renderer.render(own).image
    own.mask[...] = 0
    return bool(before.any()) and not renderer.render(own).image.any()


def _devices(renderer: DeviceRenderer) -> list[object]:
    return [renderer.resident[name].device for name in sorted(renderer.resident)]


if __name__ == "__main__":
    main(*sys.argv[1:])
