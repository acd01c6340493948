"""Write DIALS experiment lists with dxtbx, in the Python of the system, and ask it where a reflection falls.

`write` is called by the tests; run as a program, this module is the second process: it reads a list of cases as
JSON from standard input.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

from dxtbx_reader import PYTHON, _environment


def write(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write one file a case, with a crystal turned so that one reflection diffracts into a chosen pixel.

    Parameters
    ----------
    cases : list of dict
        `file`; `beam` (direction, wavelength, polarization_normal, polarization_fraction); `root` (fast, slow, origin)
        of the hierarchy, or None for a flat detector; `groups`, a list of groups, (frame, panels), with a frame and
        frames as panels (fast, slow, origin); `pixel_mm`; `size` (fast, slow); `goniometer` (axis, fixed, setting), or
        (axes, angles, scan axis), or None; `oscillation` (start, width [deg]) or None; `hkl`; `target` (panel, fast,
        slow) [pixels]; `sensor` (thickness [mm], absorption [1/mm]), whose parallax counts, or nothing;
        `cell` (a to b and c the ratios of the axes; angles [deg]).

    Returns
    -------
    list of dict
        Of each file, as dxtbx reads it: `panels`, a list of (origin_mm, fast, slow); `predicted` (panel, fast, slow)
        where the reflection falls at the start of the scan [pixels]; `A_start`, nine numbers, the matrix A there; and
        `cell`.
    """
    answer = subprocess.run(
        [PYTHON, __file__],
        input=json.dumps(cases),
        capture_output=True,
        env=_environment(),
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise RuntimeError(f"dxtbx ended with status {answer.returncode}:\n{answer.stderr}")
    results: list[dict[str, Any]] = json.loads(answer.stdout.rpartition("\n@answer ")[2])
    return results


def _detector(case: dict[str, Any]) -> Any:
    from dxtbx.model import Detector, ParallaxCorrectedPxMmStrategy

    detector = Detector()
    root = detector.hierarchy()
    if case["root"] is not None:
        root.set_local_frame(*case["root"])
    numbers = iter(range(1000))
    for frame, panels in case["groups"]:
        group = root
        if case["root"] is not None:
            group = root.add_group()
            group.set_local_frame(*frame)
        for place in panels:
            panel = group.add_panel() if case["root"] is not None else detector.add_panel()
            panel.set_local_frame(*place) if case["root"] is not None else panel.set_frame(*place)
            panel.set_name(f"panel {next(numbers)}")
            panel.set_pixel_size((case["pixel_mm"], case["pixel_mm"]))
            panel.set_image_size(case["size"])
            panel.set_trusted_range((0, 65535))
            if case.get("sensor") is not None:
                thickness, mu = case["sensor"]
                panel.set_thickness(thickness)
                panel.set_mu(mu)
                panel.set_material("Si")
                panel.set_px_mm_strategy(ParallaxCorrectedPxMmStrategy(mu, thickness))
    return detector


def _goniometer(case: dict[str, Any]) -> Any:
    from dxtbx.model import Goniometer, MultiAxisGoniometer
    from scitbx.array_family import flex

    given = case["goniometer"]
    if given is None:
        return None
    if len(given[1]) == 9:
        return Goniometer(*given)
    axes, angles, scanned = given
    names = flex.std_string([f"axis {i}" for i in range(len(axes))])
    return MultiAxisGoniometer(flex.vec3_double(axes), flex.double(angles), names, scanned)


def _turn_at_start(goniometer: Any, start: float) -> Any:
    from scitbx import matrix

    if goniometer is None:
        return matrix.identity(3)
    axis = matrix.col(goniometer.get_rotation_axis_datum())
    setting, fixed = (matrix.sqr(m) for m in (goniometer.get_setting_rotation(), goniometer.get_fixed_rotation()))
    return setting * axis.axis_and_angle_as_r3_rotation_matrix(start, deg=True) * fixed


def _crystal(case: dict[str, Any], beam: Any, detector: Any, turn: Any) -> Any:
    from cctbx import uctbx
    from dxtbx.model import Crystal
    from scitbx import matrix

    panel, fast, slow = case["target"]
    s1 = matrix.col(detector[panel].get_pixel_lab_coord((fast, slow))).normalize() / beam.get_wavelength()
    wanted = turn.inverse() * (s1 - matrix.col(beam.get_s0()))
    B = matrix.sqr(uctbx.unit_cell(case["cell"]).fractionalization_matrix()).transpose()
    q = B * matrix.col(case["hkl"])
    B *= wanted.length() / q.length()
    axis = q.cross(wanted).normalize()
    U = axis.axis_and_angle_as_r3_rotation_matrix(q.angle(wanted))
    twist = wanted.normalize().axis_and_angle_as_r3_rotation_matrix(0.7)
    real = (twist * U * B).inverse().elems
    return Crystal(real[0:3], real[3:6], real[6:9], space_group_symbol="P1")


def _write(case: dict[str, Any]) -> dict[str, Any]:
    from dxtbx.model import Beam, Experiment, ExperimentList, Scan
    from scitbx import matrix

    direction, wavelength, normal, fraction = case["beam"]
    beam = Beam(direction, wavelength, 0, 0, normal, fraction, 0, 1)
    detector, goniometer = _detector(case), _goniometer(case)
    start, width = case["oscillation"] or (0.0, 0.0)
    scan = Scan((1, 2), (start, width)) if case["oscillation"] is not None else None
    if scan is not None:
        scan.set_epochs([0.0, 0.0])
    turn = _turn_at_start(goniometer, start)
    crystal = _crystal(case, beam, detector, turn)
    experiment = Experiment(beam=beam, detector=detector, goniometer=goniometer, scan=scan, crystal=crystal)
    ExperimentList([experiment]).as_file(case["file"])

    (read,) = ExperimentList.from_file(case["file"], check_format=False)
    A = _turn_at_start(read.goniometer, start) * matrix.sqr(read.crystal.get_A())
    s1 = matrix.col(read.beam.get_s0()) + A * matrix.col(case["hkl"])
    number, point = read.detector.get_ray_intersection(s1)
    pixel = read.detector[number].millimeter_to_pixel(point)
    return {
        "panels": [(p.get_origin(), p.get_fast_axis(), p.get_slow_axis()) for p in read.detector],
        "predicted": [number, *pixel],
        "A_start": A.elems,
        "cell": read.crystal.get_unit_cell().parameters(),
        "off_sphere": math.log(s1.length() * wavelength),
    }


if __name__ == "__main__":
    sys.path.pop(0)  # modules of the tests must not stand in for those of the system
    found = [_write(case) for case in json.load(sys.stdin)]
    # Libraries print what they like before this line.
    print("\n@answer " + json.dumps(found))
