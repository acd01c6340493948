"""Files that say where the panels stand, read by -geometry: CrystFEL, pyFAI, NXmx, XDS, and headers of images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import nxmx
import pytest
from crystfel_geom import geom_position, parse_geom

from nbnumba import Experiment, cli, simulate
from nbnumba.errors import FileError, InputError
from nbnumba.experiment.geometry_only import build_geometry
from nbnumba.imagefiles.crystfel_xds import write_geom
from nbnumba.io import geom_read, poni
from nbnumba.io.nexus.geometry import read_geometry
from nbnumba.parameters.parser import parse

GEOM = """
; Two groups of panels, one of them skew and stretched as refinement leaves them
photon_energy = 9.5 keV
clen = 95.3 mm
res = 13333.3
adu_per_photon = 1
dim0 = %
dim1 = ss
dim2 = fs
data = /data/data
rigid_group_q0 = q0a0, q0a1
group_q1 = b

q0a0/min_fs = 0
q0a0/max_fs = 11
q0a0/min_ss = 0
q0a0/max_ss = 8
q0a0/fs = 0.0003420x -0.9999310y
q0a0/ss = -0.9989760x -0.0000500y
q0a0/corner_x = 214.7
q0a0/corner_y = 113.3
coffset = 0.001

q0a1/min_fs = 12
q0a1/max_fs = 23
q0a1/min_ss = 0
q0a1/max_ss = 8
q0a1/fs = y
q0a1/ss = -x +0.02z ; tilted
q0a1/corner_x = -3.5
q0a1/corner_y = .25
q0a1/mask_edge_pixels = 1

b/min_fs = 0
b/max_fs = 5
b/min_ss = 9
b/max_ss = 12
b/corner_x = -60
b/corner_y = -50
b/res = 5000
b/no_index = 1

badspot/min_fs = 14
badspot/max_fs = 15
badspot/min_ss = 2
badspot/max_ss = 4
badspot/panel = q0a1
badstop/min_x = 210
badstop/max_x = 212
badstop/min_y = 108
badstop/max_y = 200
"""


def test_crystfel_every_pixel_is_where_it_should_be(tmp_path: Path) -> None:
    (tmp_path / "a.geom").write_text(GEOM)
    found = geom_read.parse(GEOM, "a.geom")
    assert found.wavelength_A == pytest.approx(12398.4198 / 9500)
    assert [panel.name for panel in found.panels] == ["q0a0", "q0a1", "b"]
    assert [panel.group for panel in found.panels] == ["q0", "q0", "q1"]
    assert [(panel.n_fast, panel.n_slow) for panel in found.panels] == [(12, 9), (12, 9), (6, 4)]
    _, panels = parse_geom(tmp_path / "a.geom")
    panels["b"] |= {"fs": "+1x", "ss": "+1y"}
    panels["q0a1"] |= {"fs": "+1y", "ss": "-1x+0.02z"}
    for panel in found.panels:
        theirs = {"res": "13333.3", "coffset": "0.0" if panel.name == "q0a0" else "0.001"} | panels[panel.name]
        for slow, fast in ((0.0, 0.0), (2.5, 0.5), (7.25, 11.0)):
            expected = geom_position({"clen": "0.0953 m"}, theirs, fast, slow)
            np.testing.assert_allclose(panel.position(slow, fast), expected, rtol=0, atol=1e-12)


def test_crystfel_bad_pixels() -> None:
    first, second, third = geom_read.parse(GEOM, "a.geom").panels
    # Pixels whose corner lies inside, in the laboratory: from 0 on along -y, from 214.7 on along -x.
    slow, fast = np.meshgrid(np.arange(9), np.arange(12), indexing="ij")
    x = 214.7 + 0.000342 * fast - 0.998976 * slow
    y = 113.3 - 0.999931 * fast - 0.00005 * slow
    np.testing.assert_array_equal(first.bad, (x > 210) & (x < 212) & (y > 108) & (y < 200))
    expected = np.ones((9, 12), dtype=bool)
    expected[1:-1, 1:-1] = False
    expected[2:5, 2:4] = True  # bounds included
    np.testing.assert_array_equal(second.bad, expected)
    assert third.bad is not None
    assert third.bad.all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("clen = 95.3 mm", "clen = /LCLS/encoder"), r"clen is '/LCLS/encoder', a place in .*; give -distance"),
        (("clen = 95.3 mm\n", ""), r"panel q0a0 has no clen; give -distance"),
        (("clen = 95.3 mm", "clen = 95.3 inch"), r"a number with the unit m or mm is needed"),
        (("res = 13333.3\n", ""), r"panel q0a0 has no res"),
        (("res = 5000", "res = 0"), r"b/res is 0; it must be greater than 0"),
        (("q0a0/max_fs = 11", "q0a0/max_fs = -1"), r"goes from 0 to -1 \(fs\).*it must hold a pixel"),
        (("q0a0/max_fs = 11", "q0a0/max_fs = 1e9"), r"holds more than 2147483647 pixels"),
        (("q0a0/max_fs = 11", "q0a0/max_fs = nan"), r"q0a0/max_fs is nan; a finite number"),
        (("q0a0/max_fs = 11", "q0a0/max_fs = eleven"), r"line 15: q0a0/max_fs is 'eleven'; a number is needed"),
        (("q0a1/fs = y", "q0a1/fs = 1w"), r"q0a1/fs is '1w'; a direction such as"),
        (("q0a1/fs = y", "q0a1/fs = 0x"), r"q0a1/fs is '0x'; a direction such as"),
        (("q0a1/fs = y", "q0a1/fs"), r"'q0a1/fs' is none of the lines KEY = VALUE"),
        (("badspot/panel = q0a1", "badspot/panel = c"), r"badspot names the panel 'c', which there is not"),
        (("badspot/panel = q0a1\n", ""), r"badspot names no panel"),
        (("badspot/max_ss = 4\n", ""), r"badspot has no max_ss"),
        (("badspot/max_ss = 4", "badspot/max_y = 4"), r"badspot mixes fs and ss with x and y"),
        (("9.5 keV", "9.5 K"), r"photon_energy is '9.5 K'; a number greater than 0 with its unit"),
        (("9.5 keV", "-1"), r"photon_energy is '-1'; "),
    ],
)
def test_crystfel_files_that_cannot_be(change: tuple[str, str], message: str) -> None:
    assert change[0] in GEOM
    with pytest.raises(InputError, match=message):
        geom_read.parse(GEOM.replace(*change, 1), "a.geom")


def settings_of(line: str) -> Any:
    return parse(line.split()).settings


def test_what_crystfel_is_written_is_read_back(tmp_path: Path) -> None:
    """Written from an experiment, drawn again from the file: the same places, oblong pixels too."""
    (tmp_path / "a.geom").write_text(GEOM)
    geometry, _ = build_geometry(settings_of(f"-geometry {tmp_path / 'a.geom'} -semantics exact"))
    write_geom(tmp_path / "b.geom", geometry, "b.h5", wavelength_path=None)
    again, _ = build_geometry(settings_of(f"-geometry {tmp_path / 'b.geom'} -semantics exact"))
    assert again.beam.wavelength == pytest.approx(geometry.beam.wavelength, rel=1e-14)
    for ours, theirs in zip(again.detector.panels, geometry.detector.panels, strict=True):
        assert (ours.n_fast, ours.n_slow) == (theirs.n_fast, theirs.n_slow)
        for place in ((0.0, 0.0), (9.0, 0.0), (3.5, 8.5)):
            np.testing.assert_allclose(ours.position(*place), theirs.position(*place), rtol=0, atol=1e-12)


def test_a_distance_takes_the_place_of_clen(tmp_path: Path) -> None:
    (tmp_path / "a.geom").write_text(GEOM.replace("95.3 mm", "/encoder"))
    settings = settings_of(f"-geometry {tmp_path / 'a.geom'} -distance 120")
    assert settings.detector.panels[0].origin[2] == pytest.approx(0.120)
    assert settings.detector.panels[1].origin[2] == pytest.approx(0.121)  # its coffset
    with pytest.raises(InputError, match=r"^-Xbeam: contradicts -geometry, which places the panels$"):
        settings_of(f"-geometry {tmp_path / 'a.geom'} -distance 120 -Xbeam 3")


PONI = """# Nota: C-Order, 1 refers to the Y axis, 2 to the X axis
poni_version: 2.1
Detector: Pilatus1M
Detector_config: {"pixel1": 0.000172, "pixel2": 0.000172, "orientation": 3}
Distance: 0.2
Poni1: 0.05
Poni2: 0.04
Rot1: 0.1
Rot2: -0.2
Rot3: 0.3
Wavelength: 1e-10
"""


def test_pyfai_positions() -> None:
    """Against `Geometry(...).calc_pos_zyx` of pyFAI 2026.9."""
    found = poni.parse(PONI, "a.poni")
    assert found.wavelength_A == pytest.approx(1.0)
    assert (found.panel.n_fast, found.panel.n_slow) == (981, 1043)
    for (slow, fast), (z, y, x) in {
        (10.5, 20.5): (0.20817748, -0.00183864, -0.01765708),
        (500.5, 30.5): (0.19126533, 0.07653382, 0.00837778),
    }.items():
        np.testing.assert_allclose(found.panel.position(slow, fast), [y, x, z], rtol=0, atol=1e-8)  # digits printed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("Pilatus1M", "Unknown"), r"how many pixels its detector 'Unknown' has; give -detpixels_f and -detpixels_s"),
        (("Rot1: 0.1\n", ""), r"has no line Rot1: VALUE"),
        (("Rot1: 0.1", "Rot1: a"), r"Rot1 is 'a'; a number is needed"),
        (("Poni1: 0.05", "Poni1: inf"), r"Poni1 is inf; a finite number"),
        (('"orientation": 3', '"orientation": 2'), r"the orientation of its detector is 2; only 3"),
        (('"pixel1": 0.000172', '"pixel1": 0'), r"pixel1 of its detector is 0; a number greater than 0"),
        (('{"pixel1"', '["pixel1"'), r"Detector_config is .*; a JSON object is needed"),
        (("1e-10", "-1e-10"), r"Wavelength is -1e-10 m; it must be greater than 0"),
    ],
)
def test_pyfai_files_that_cannot_be(change: tuple[str, str], message: str) -> None:
    assert change[0] in PONI
    with pytest.raises(InputError, match=message):
        poni.parse(PONI.replace(*change, 1), "a.poni")


def test_pyfai_detectors_without_a_size_take_that_of_the_options(tmp_path: Path) -> None:
    (tmp_path / "a.poni").write_text(PONI.replace("Pilatus1M", "Detector"))
    settings = settings_of(f"-geometry {tmp_path / 'a.poni'} -detpixels_f 30 -detpixels_s 20")
    (panel,) = settings.detector.panels
    assert (panel.n_fast, panel.n_slow) == (30, 20)


def hierarchical(path: Path, panels: int = 4) -> None:
    """Write an NXmx file whose detector swings, with modules in groups, a mask, a sensor and a kappa goniometer."""
    with h5py.File(path, "w") as file:

        def group(name: str, kind: str) -> h5py.Group:
            made = file.create_group(name)
            made.attrs["NX_class"] = kind
            return made

        def axis(name: str, value: Any, kind: str, units: str, vector: Any, depends_on: str, offset: Any = None) -> str:
            file[name] = value
            file[name].attrs.update({"transformation_type": kind, "units": units, "vector": np.array(vector, float)})
            file[name].attrs["depends_on"] = depends_on
            if offset is not None:
                file[name].attrs.update({"offset": np.array(offset, float), "offset_units": "mm"})
            return name

        group("entry", "NXentry")
        file["entry/definition"] = "NXmx"
        group("entry/instrument", "NXinstrument")
        beam = group("entry/instrument/beam", "NXbeam")
        beam["incident_wavelength"] = np.array([0.98])
        beam["incident_wavelength"].attrs["units"] = "angstrom"
        detector = group("entry/instrument/detector", "NXdetector")
        detector["sensor_thickness"] = 450.0
        detector["sensor_thickness"].attrs["units"] = "um"
        detector["sensor_material"] = "Si"
        mask = np.zeros((panels, 20, 30), dtype=np.uint32)
        mask[1, 3, 4] = 1
        detector["pixel_mask"] = mask
        transformations = "/entry/instrument/detector/transformations"
        group(transformations, "NXtransformations")
        swing = axis(f"{transformations}/twotheta", 12.0, "rotation", "deg", (0, 1, 0), ".", (1.0, 0.0, 0.0))
        along = axis(f"{transformations}/det_z", 150.0, "translation", "mm", (0, 0, 1), swing)
        for number in range(panels):
            turned = axis(
                f"{transformations}/arm{number}", 90.0 * number, "rotation", "deg", (0, 0, 1), along, (0.5, 0.25, 0.125)
            )
            module = group(f"entry/instrument/detector/module{number}", "NXdetector_module")
            module["data_origin"] = np.array([number, 0, 0])
            module["data_size"] = np.array([1, 20, 30])
            for key, size, vector in (("fast", 0.1, (-1, 0, 0)), ("slow", 0.2, (0, -1, 0))):
                place = f"{module.name}/{key}_pixel_direction"
                axis(place, size, "translation", "mm", vector, turned, (-2.0, 8.0, 0.5))
        sample = group("entry/sample", "NXsample")
        group("entry/sample/transformations", "NXtransformations")
        base = "/entry/sample/transformations"
        omega = axis(f"{base}/omega", np.array([5.0]), "rotation", "deg", (-1, 0, 0), ".")
        kappa = axis(f"{base}/kappa", 30.0, "rotation", "deg", (0.7, 0.5, 0), omega)
        sample["depends_on"] = axis(f"{base}/phi", np.array([10.0, 10.5]), "rotation", "deg", (-1, 0, 0), kappa)
        file[f"{base}/phi_increment_set"] = np.array([0.5, 0.5])


def test_nxmx_every_pixel_is_where_nxmx_finds_it(tmp_path: Path) -> None:
    hierarchical(tmp_path / "a.nxs")
    ours = read_geometry(tmp_path / "a.nxs")
    assert ours.wavelength_A == pytest.approx(0.98)
    with h5py.File(tmp_path / "a.nxs") as file:
        (detector,) = nxmx.NXmx(file).entries[0].instruments[0].detectors
        for panel, module in zip(ours.panels, detector.modules, strict=True):
            chain = nxmx.get_dependency_chain(module.fast_pixel_direction.depends_on)
            whole = nxmx.get_cumulative_transformation(chain)[0]
            for slow, fast in ((0.0, 0.0), (20.0, 0.0), (7.5, 22.25)):
                here = module.fast_pixel_direction.offset.to("mm").magnitude
                here = here + fast * 0.1 * module.fast_pixel_direction.vector
                here = here + slow * 0.2 * module.slow_pixel_direction.vector
                theirs = (whole @ np.append(here, 1.0))[:3] / 1e3
                np.testing.assert_allclose(panel.position(slow, fast), theirs, rtol=0, atol=1e-12)
    assert [panel.name for panel in ours.panels] == ["module0", "module1", "module2", "module3"]
    assert ours.panels[0].bad is None
    assert ours.panels[1].bad is not None
    assert np.argwhere(ours.panels[1].bad).tolist() == [[3, 4]]
    assert (ours.panels[0].thickness, ours.panels[0].material) == (450e-6, "Si")
    # Phi is carried by kappa, and both by omega.
    assert (ours.phi_deg, ours.width_deg) == (10.0, 0.5)
    assert ours.rotation_axis is not None

    def turn(vector: tuple[float, float, float], degrees: float, v: np.ndarray) -> np.ndarray:
        axis, angle = np.array(vector) / np.linalg.norm(vector), math.radians(degrees)
        return v * math.cos(angle) + np.cross(axis, v) * math.sin(angle) + axis * (axis @ v) * (1 - math.cos(angle))

    expected = turn((-1, 0, 0), 5.0, turn((0.7, 0.5, 0), 30.0, np.array([-1.0, 0.0, 0.0])))
    np.testing.assert_allclose(ours.rotation_axis, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("entry/instrument/detector/module0/data_size", [1, 0, 30], r"data_size is 0 x 30 pixels"),
        ("entry/instrument/detector/transformations/det_z", math.nan, r"det_z: is nan; a finite number"),
        ("entry/instrument/beam/incident_wavelength", -1.0, r"incident_wavelength: "),
        ("entry/instrument/detector/module0/fast_pixel_direction", 0.1, r"fast_pixel_direction: "),
    ],
)
def test_nxmx_files_that_cannot_be(tmp_path: Path, place: str, value: Any, message: str) -> None:
    hierarchical(tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs", "r+") as file:
        attributes = dict(file[place].attrs) if "transformations" in place else {}
        del file[place]
        file[place] = value
        file[place].attrs.update(attributes)
    with pytest.raises(InputError, match=message):
        read_geometry(tmp_path / "a.nxs")


def test_nxmx_chains_without_an_end(tmp_path: Path) -> None:
    hierarchical(tmp_path / "a.nxs")
    base = "/entry/instrument/detector/transformations"
    with h5py.File(tmp_path / "a.nxs", "r+") as file:
        file[f"{base}/twotheta"].attrs["depends_on"] = f"{base}/det_z"
    with pytest.raises(InputError, match=r"its chain of transformations has no end"):
        read_geometry(tmp_path / "a.nxs")
    with h5py.File(tmp_path / "a.nxs", "r+") as file:
        file[f"{base}/twotheta"].attrs["depends_on"] = "elsewhere"
    with pytest.raises(InputError, match=r"depends on elsewhere, which there is not"):
        read_geometry(tmp_path / "a.nxs")


XPARM = """ XPARM.XDS    VERSION Jan 10, 2022  BUILT=20220820
     1        0.0000    0.5000  0.999997 -0.001590 -0.001580
       0.976250       0.000852      -0.002084       1.024324
     1     78.1000     78.1000     37.2000  90.000  90.000  90.000
      78.100000       0.000000       0.000000
       0.000000      78.100000       0.000000
       0.000000       0.000000      37.200000
         1        30        20    0.172000    0.086000
      12.300000       9.100000     190.180328
       1.000000       0.000000       0.000000
       0.000000       0.984808      -0.173648
       0.000000       0.173648       0.984808
"""


def test_xparm(tmp_path: Path) -> None:
    (tmp_path / "XPARM.XDS").write_text(XPARM)
    settings = settings_of(f"-geometry {tmp_path / 'XPARM.XDS'}")
    (panel,) = settings.detector.panels
    x, y = np.array([1.0, 0, 0]), np.array([0, 0.984808, -0.173648])
    y /= np.linalg.norm(y)
    z = np.array([0, 0.173648, 0.984808]) / np.linalg.norm([0.173648, 0.984808])
    # The center of pixel (7, 5) as XDS counts.
    expected = (7 - 12.3) * 0.172 * x + (5 - 9.1) * 0.086 * y + 190.180328 * z
    np.testing.assert_allclose(panel.position(4.5, 6.5) * 1e3, expected, rtol=0, atol=1e-12)
    assert settings.beam.wavelength == pytest.approx(0.97625e-10)
    assert math.degrees(settings.goniometer.osc) == pytest.approx(0.5)
    (tmp_path / "XPARM.XDS").write_text(XPARM.replace("30        20", "0         20"))
    with pytest.raises(InputError, match=r"its detector has 0 x 20 pixels of 0\.172 x 0\.086 mm"):
        settings_of(f"-geometry {tmp_path / 'XPARM.XDS'}")


CRYSTAL = "-cell 62 73 84 81 93 107 -default_F 10 -N 5 -oversample 1 -nodump -quiet"
PLACE = "-detpixels_f 40 -detpixels_s 30 -pixel 0.2 -distance 80 -lambda 1.1 -Xbeam 3 -Ybeam 4 -phi 3"


def test_headers_of_images_place_their_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture drawn again from the header of its own SMV image and mini-CBF."""
    monkeypatch.chdir(tmp_path)
    line = f"{CRYSTAL} {PLACE} -semantics exact -nopgm -nonoise"
    assert cli.main([*line.split(), "-smv_header", "c", "-intfile", "i.img", "-cbffile", "i.cbf"]) == 0
    drawn = np.fromfile("floatimage.bin", np.float32)
    for name in ("i.img", "i.cbf"):
        assert cli.main([*f"{CRYSTAL} -geometry {name} -semantics exact -nopgm -nonoise -floatfile b.bin".split()]) == 0
        # Headers hold six digits.
        np.testing.assert_allclose(np.fromfile("b.bin", np.float32), drawn, rtol=2e-3, atol=2e-3 * float(drawn.max()))


def test_images_of_panels_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the command line and from keywords the same; bad pixels stay dark."""
    monkeypatch.chdir(tmp_path)
    Path("a.geom").write_text(GEOM)
    hierarchical(tmp_path / "a.nxs")
    crystal = {"cell": (62, 73, 84, 81, 93, 107), "default_F": 10.0, "N": 3, "oversample": 1, "phi_sampling": "edge"}
    for name, panels in (("a.geom", 3), ("a.nxs", 4)):
        image = simulate(Experiment(geometry=name, attenuation_depth_um="inf", **crystal))  # type: ignore[arg-type]
        assert len(image.array) == panels
        words = f"-geometry {name} {CRYSTAL} -N 3 -semantics exact -detector_abs inf -floatfile f.bin".split()
        assert cli.main(words) == 0
        np.testing.assert_array_equal(np.fromfile("f.bin", np.float32), image.array.ravel())
        for panel, photons in zip(image.experiment.detector.panels, image.array, strict=True):
            inside = photons[: panel.n_slow, : panel.n_fast]
            np.testing.assert_array_equal(inside > 0.0, True if panel.mask is None else panel.mask)


def test_files_that_are_of_no_kind(tmp_path: Path) -> None:
    for name, content in (
        ("empty", b""),
        ("text", b"hello\n"),
        ("image.png", b"\x89PNG\r\n\x1a\n"),
        ("a.bin", b"\0\1"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=r"^-geometry \S+( |:).*"):
            settings_of(f"-geometry {tmp_path / name}")
    with pytest.raises(FileError, match=r"^-geometry none\.geom: cannot be read: no such file"):
        settings_of("-geometry none.geom")
