"""The stages of `python -m bench.cuda_hardware` that check what golden images do not: each against another way to it.

Lists of spots against the pixels of the same GPU; background, several panels and derivatives against the processor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from nbnumba.kernels.cpu import spot_driver
from nbnumba.kernels.cuda.renderer import DeviceRenderer

if TYPE_CHECKING:
    from .cuda_stages import Item, Session

_LISTED = "-nonoise -lambda 1 -distance 100 -detpixels 400 -pixel 0.2 -cell 40 48 32 80 95 100 -default_F 20 "
_THICK = "-detector_abs 300 -detector_thick 450 -detector_thicksteps 2 "
_SPOTS = {
    "overlapping": "-gauss_xtal -N 3 -oversample 1 -mosaic 1 -mosaic_domains 20 -semantics exact",
    "apart": "-shape gauss_argchk -N 12 -oversample 2 -dispersion 4 -dispsteps 9 " + _THICK,
    "top hats, water, a region": "-shape tophat_abc -N 3 -oversample 1 -roi 1 390 7 333 -water 0.001 -fluence 1e20",
    "curved": "-shape gauss_abc -N 9 -mosaic 1 -mosaic_domains 10 -oversample 1 -curved_det -semantics exact",
}


def spots(session: Session) -> Iterator[Item]:
    """Draw images from lists of spots, and by asking every pixel: golden images prove that."""
    from agreement import judge

    # Few pixels, and so few spots, where the script is only tried.
    size = [] if session.options.pixels is None else ["-detpixels", "9", "-pixel", "7"]
    for precision in session.renderers:
        device = session.options.device
        with (
            DeviceRenderer(device, precision, planner=lambda *_: None) as asking,
            DeviceRenderer(device, precision, planner=lambda scene, _: spot_driver.forced_plan(scene)) as listing,
        ):
            for name, words in list(_SPOTS.items())[: 2 if size else None]:
                scene = session.short_scene([*_LISTED.split(), *words.split(), *size])
                listed = listing.render(scene)
                verdict = judge(asking.render(scene).image, listed.image, _gate(precision))
                text = verdict.reason or f"{listed.spots} spots, worst {verdict.worst_relative:.1e}"
                yield {
                    "name": f"{name}, {precision}",
                    "passed": verdict.passed and (listed.spots > 0 or bool(size)),
                    "text": text,
                }


def _gate(precision: str) -> str:
    from .cuda_stages import GATES

    return GATES[precision]


_CRYSTAL: dict[str, Any] = {
    "cell": (78.0, 78.0, 38.0), "N": (3, 3, 3), "default_F": 20.0, "misset_deg": (10.0, 20.0, 30.0), "flux": 1e12,
    "exposure_s": 0.1, "beamsize_mm": 0.05, "oversample": 1, "distance_mm": 80.0, "semantics": "exact",
}  # fmt: skip
_WATER = {"amorphous": "water:0.3 air:20"}
_WHOLE: dict[str, dict[str, Any]] = {
    "background of wavelengths": _WATER | {"dispersion_percent": 4.0, "dispsteps": 2},
    "background in a sensor": _WATER | {"thickness_um": 450.0, "attenuation_depth_um": 300.0, "thicksteps": 2},
    "beamstop and region": _WATER | {"beamstop_mm": 12.0, "roi": (3, 470, 20, 333)},
    "spots in closed form": _WATER
    | {"shape": "gauss_abc", "N": (9, 9, 9), "spread": "continuous", "mosaic_spread_deg": 1.0},
}


def whole(session: Session) -> Iterator[Item]:
    """Render images with all that is around the crystal, on both."""
    from agreement import judge

    import nbnumba

    small = session.options.pixels is not None
    for name, more in list(_WHOLE.items())[: 1 if small else None]:
        side = 5 if small else 500
        size = {"detpixels": side, "pixel_mm": 80.0 / side}
        experiment = nbnumba.Experiment(**(_CRYSTAL | size | more))
        ours = nbnumba.simulate(experiment, "cuda", precision="double", device=session.options.device)
        verdict = judge(nbnumba.simulate(experiment, "cpu").array, ours.array, "cuda")
        text = verdict.reason or f"worst {verdict.worst_relative:.1e}"
        yield {"name": name, "passed": verdict.passed and bool(ours.array.any()), "text": text}


_PARAMETERS = ("misset", "cell", "N", "mosaic_spread", "distance", "beam_center", "polarization", "scale", "offset")
_DERIVED: dict[str, dict[str, Any]] = {
    "square": {"shape": "square", "mosaic_domains": 2},
    "closed form": {"shape": "gauss_abc", "spread": "continuous"},
}
_ROUNDING = 1e-9  # of the largest: sums in another order, and other fused products


def derivatives(session: Session) -> Iterator[Item]:
    """Work out images, their derivatives and likelihoods on both."""
    import nbnumba

    small = session.options.pixels is not None
    for name, more in list(_DERIVED.items())[: 1 if small else None]:
        side = 3 if small else 60
        base = _CRYSTAL | {"mosaic_spread_deg": 0.5, "detpixels": side, "pixel_mm": 80.0 / side, "fluence": 1e27}
        del base["flux"], base["exposure_s"], base["beamsize_mm"]
        experiment = nbnumba.Experiment(**(base | more))
        on_gpu = nbnumba.Renderer("cuda", device=session.options.device).linearize(experiment, _PARAMETERS)
        on_cpu = nbnumba.Renderer("cpu").linearize(experiment, _PARAMETERS)
        data = np.random.default_rng(3).poisson(on_cpu.image + 1.0).astype(float)
        used = np.ones(data.shape, dtype=bool)
        yield _differing(f"{name}, image", on_gpu.image.reshape(1, -1), on_cpu.image.reshape(1, -1))
        ours, theirs = (linear.jacobian() for linear in (on_gpu, on_cpu))
        yield _differing(f"{name}, derivatives", ours.reshape(len(ours), -1), theirs.reshape(len(theirs), -1))
        ours, theirs = (linear.likelihood(data, used).information for linear in (on_gpu, on_cpu))
        scale = 1.0 / np.sqrt(np.diag(theirs))
        yield _differing(f"{name}, likelihood", scale * ours * scale[:, None], scale * theirs * scale[:, None])


def _differing(name: str, ours: Any, theirs: Any) -> Item:
    """Compare numbers of several quantities, (quantities, n), each with the largest of its own."""
    error = float(np.max(np.abs(ours - theirs).max(axis=1) / np.abs(theirs).max(axis=1)))
    return {"name": name, "passed": error <= _ROUNDING, "text": f"differs by {error:.1e}"}
