"""Stills of a batch through DIALS: spots, indices and orientations against the truth in the file."""

from __future__ import annotations

from pathlib import Path

import dials_programs
import numpy as np
import pytest
from requirements import requires

from nbnumba import cli

pytestmark = [pytest.mark.slow, pytest.mark.readers, requires("DIALS")]

STILLS = 4
SPEC = f"""
command = '''-cell 40 45 50 90 90 90 -hkl P1.hkl -detpixels 500 -pixel 0.3 -distance 120 -N 20 -lambda 1
-nointerpolate -shape gauss_abc -spread continuous -mosaic 0.25 -fluence 1e28 -background water:8e-11 -polar 1'''
count = {STILLS}
seed = 5
noise = true
dtype = "int32"
[vary]
orientation = "random"
"""

# Run by the system's Python: spots in all and indexed, and by how much each crystal misses the true one.
_ASK = """
import json, sys
import h5py, numpy as np
from dials.array_family import flex
from dxtbx.model.experiment_list import ExperimentListFactory
folder, images = sys.argv[1:]
with h5py.File(images) as file:
    truth = file["/entry/ground_truth/A_matrix_imgcif"][()]
indexed = flex.reflection_table.from_file(folder + "/indexed.refl")
angles = {}
for one in ExperimentListFactory.from_json_file(folder + "/indexed.expt", check_format=False):
    (image,) = one.imageset.indices()
    A = np.array(one.crystal.get_A()).reshape(3, 3)
    # The same lattice may be described by other axes: true indices are M times those of DIALS.
    M = np.round(np.linalg.inv(truth[image]) @ A)
    assert round(abs(np.linalg.det(M))) == 1, M
    u, _, v = np.linalg.svd(A @ np.linalg.inv(truth[image] @ M))
    angles[image] = float(np.degrees(np.arccos(min(1.0, (np.trace(u @ v) - 1.0) / 2.0))))
print(json.dumps([len(indexed), indexed.get_flags(indexed.flags.indexed).count(True), angles]))
"""


def test_stills_of_a_batch_are_indexed_as_they_were_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    F: dict[tuple[int, int, int], float] = {}
    for hkl in np.ndindex(41, 45, 51):
        h, k, l = (index - size for index, size in zip(hkl, (20, 22, 25), strict=True))
        if (h, k, l) > (0, 0, 0) and (h / 40) ** 2 + (k / 45) ** 2 + (l / 50) ** 2 < 1 / 2.0**2:
            F[h, k, l] = F[-h, -k, -l] = float(np.sqrt(rng.exponential(1.0)) * 300.0)
    (tmp_path / "P1.hkl").write_text("".join(f"{h} {k} {l} {value:.4f}\n" for (h, k, l), value in F.items()))
    (tmp_path / "s.toml").write_text(SPEC)
    assert cli.main(["batch", str(tmp_path / "s.toml"), "-o", str(tmp_path / "out")]) == 0
    images, dials = tmp_path / "out" / "shots.h5", tmp_path / "dials"
    dials.mkdir()
    dials_programs.run(
        dials,
        ["dials.import", str(images)],
        ["dials.find_spots", "imported.expt", "nproc=1"],
        # Each image by itself; what is quick of the methods that find a lattice.
        ["dials.index", "imported.expt", "strong.refl", "joint_indexing=False", "indexing.stills.indexer=sequences",
         "indexing.method=fft1d", "unit_cell=40,45,50,90,90,90", "space_group=P1", "max_cell=60", "n_macro_cycles=2",
         "detector.fix=all", "beam.fix=all", "indexing.nproc=1"],
    )  # fmt: skip
    spots, indexed, angles = dials_programs.ask(_ASK, dials, images)
    assert spots > 200 * STILLS
    assert indexed > 0.85 * spots
    assert len(angles) >= 0.85 * STILLS
    # Such spots with noise give about 0.02 degrees; a lattice that is not the true one is off by degrees.
    assert np.median(list(angles.values())) < 0.15
