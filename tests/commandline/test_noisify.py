"""`nbnumba noisify`: every pixel of noisify in c, its defects put right in exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import oracles
import pytest
from requirements import requires

from nbnumba.cli import main
from nbnumba.experiment.readout import modules
from nbnumba.parameters.presets import PRESETS


def words_of(params: dict[str, str]) -> list[str]:
    return ["noisify", *params["command"].split()[1:]]


@requires("oracles")
@pytest.mark.parametrize("name", oracles.names("noisify"))
def test_every_pixel_of_noisify(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    params, arrays = oracles.load("noisify", name)
    monkeypatch.chdir(tmp_path)
    Path("in.bin").write_bytes(arrays["image_in"].astype("<f4").tobytes())
    if "-header" in params["command"]:
        Path("hdr.img").write_bytes(arrays["int_header"].tobytes() + arrays["int"].astype("<u2").tobytes())
    assert main(words_of(params)) == 0
    for kind in ("int", "noise"):
        if kind in arrays:
            data = Path(f"{kind}.img").read_bytes()
            assert data[:512] == arrays[f"{kind}_header"].tobytes()
            pixels = np.frombuffer(data[512:], dtype=arrays[kind].dtype).reshape(arrays[kind].shape)
            np.testing.assert_array_equal(pixels, arrays[kind])
    assert Path("img.pgm").read_bytes() == arrays["pgm_file"].tobytes()

    def lines(text: str) -> list[str]:
        # Without -seed it is the time.
        ours = ("negative intensity", "James Holton", *(() if "-seed" in params["command"] else ("  seed:",)))
        return [line for line in text.splitlines() if not any(part in line for part in ours)]

    if "-header" not in params["command"]:
        assert lines(capfd.readouterr().out) == lines(params["stdout"])


def run(tmp_path: Path, image: np.ndarray, *words: str) -> np.ndarray:
    n_slow, n_fast = image.shape
    np.asarray(image, dtype="<f4").tofile(tmp_path / "in.bin")
    base = ["-floatfile", f"{tmp_path}/in.bin"]
    if "-detector" not in words:
        base += ["-detpixels_x", str(n_fast), "-detpixels_y", str(n_slow)]
    out = ["-intfile", f"{tmp_path}/int.img", "-noisefile", f"{tmp_path}/noise.img", "-nopgm", "-semantics", "exact"]
    assert main(["noisify", *base, *out, *words]) == 0
    name = "int.img" if "-nonoise" in words else "noise.img"
    kind = "<u4" if "32" in words else "<u2"
    return np.frombuffer((tmp_path / name).read_bytes()[512:], dtype=kind).reshape(image.shape)


def test_exact_calibration_is_the_same_in_two_shots(tmp_path: Path) -> None:
    image = np.full((100, 100), 5e4)
    shots = [
        run(tmp_path, image, "-seed", seed, "-calib_seed", "7", "-bits", "32").astype(float).ravel() for seed in "12"
    ]
    assert np.corrcoef(shots)[0, 1] > 0.95  # 3 % of 5e4 photons against a photon noise of 0.4 %


def test_exact_rounds_and_clips(tmp_path: Path) -> None:
    image = np.array([[-9.0, 0.4, 0.6, 1e9]])
    assert run(tmp_path, image, "-nonoise", "-adc", "0").tolist() == [[0, 0, 1, 65535]]
    assert run(tmp_path, image, "-nonoise", "-adc", "0", "-bits", "32").tolist() == [[0, 0, 1, 10**9]]


def test_exact_point_spread_keeps_dim_pixels_and_loses_what_leaves(tmp_path: Path) -> None:
    image = np.full((40, 40), 0.005)
    words = "-nonoise -psf gauss -psf_fwhm 150 -scale 1e5 -adc 0".split()
    pixels = run(tmp_path, image, *words)
    assert np.all(pixels[5:-5, 5:-5] == 500)
    assert pixels[0, 0] < 320  # of a corner a little more than a quarter of the plane is left


def test_exact_counts_as_a_counter_does(tmp_path: Path) -> None:
    source, target = tmp_path / "in.bin", tmp_path / "n.img"
    np.full((100, 100), 1000.0, "<f4").tofile(source)
    words = f"noisify -floatfile {source} -noisefile {target} -intfile {tmp_path / 'i.img'} -nopgm -semantics exact"
    more = "-seed 1 -adc 0 -calibration 0 -exposure 1e-3 -detpixels 100"

    def counts(option: str) -> np.ndarray:
        assert main([*words.split(), *more.split(), *option.split()]) == 0
        return np.frombuffer(target.read_bytes()[512:], "<u2")

    # 1000 x 200 ns is a fifth of 1 ms; 4 standard deviations of the mean of 1e4 pixels.
    assert abs(counts("-dead_time 200").mean() - 1000.0 * np.exp(-0.2)) < 4.0 * np.sqrt(818.7 / 1e4)
    assert (counts("-rate_limit 9e5") == 65535).all()
    spread = counts("-psf gauss -psf_fwhm 300 -psf_stage photons").reshape(100, 100)[20:80, 20:80]
    phosphor = counts("-psf gauss -psf_fwhm 300 -psf_stage counts").reshape(100, 100)[20:80, 20:80]
    # Photons spread before they are counted keep the noise of counting; counts that are spread are smooth.
    assert spread.var() > 900.0
    assert phosphor.var() < 300.0


def test_a_device_takes_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.ones(12, dtype=np.float32).tofile("in.bin")
    nowhere = "-intfile /dev/null -pgmfile /dev/null -noisefile /dev/null"
    assert main(f"noisify -floatfile in.bin -detpixels_x 4 -detpixels_y 3 -seed 1 {nowhere}".split()) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["in.bin"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-seed 1", "-floatfile is missing"),
        ("", " is missing; "),
        ("-floatfile gone.bin", "gone.bin: cannot be read"),
        ("-floatfile in.bin -seed 1 -bits 8", "-bits: '8'"),
        ("-floatfile in.bin -seed 1 -bits 24", "-bits: 24"),
        ("-floatfile in.bin -seed 1 -gain x", "-gain: 'x'"),
        ("-floatfile in.bin -seed 1 -readout -3", "-readout: '-3'"),
        ("-floatfile in.bin -seed 1 -psf", "-psf: needs a name"),
        ("-floatfile in.bin -seed 1 -psf round", "-psf: 'round'"),
        ("-floatfile in.bin -seed 1 -psf moffat:1 -semantics exact", "-psf: the exponent"),
        ("-floatfile in.bin -seed 1 -dark_current 3", "-dark_current: noisify has no such option"),
        ("-floatfile in.bin -seed 1 -dead_time 3", "-dead_time: noisify has no such option"),
        ("-floatfile in.bin -seed 1 -semantics exact -rate_limit 3 -exposure 0", "-exposure: 0 s; -rate_limit needs"),
        ("-floatfile in.bin -seed 1 -flikcer 3", "-flikcer: unknown option; did you mean -flicker?"),
        ("-floatfile in.bin -semantics exact -detpixels 9", "holds 48 bytes"),
        ("-floatfile in.bin -detpixels 9", "holds 48 bytes"),
        ("-floatfile nan.bin -semantics exact", "-floatfile nan.bin: 1 pixel holds no finite number"),
        ("-floatfile in.bin -semantics exact -psf file -psf_file gone -psf_fwhm 9", "gone: cannot be read"),
        (f"-floatfile in.bin -intfile {'x' * 256}", "-intfile x"),
        ("-floatfile in.bin -seed 1 -noisefile in.bin", "-noisefile in.bin: -floatfile reads the same file"),
        ("-floatfile in.bin -noisefile missing/n.img", "-noisefile missing/n.img: cannot be written"),
        ("-floatfile empty.bin -seed 1", "holds no pixel"),
        ("-floatfile in.bin -seed 1 -psf file -semantics exact", "-psf_file"),
    ],
)
def test_mistakes_are_one_line(
    words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.bin").write_bytes(np.ones(12, "<f4").tobytes())
    Path("empty.bin").write_bytes(b"")
    Path("nan.bin").write_bytes(np.full(1, np.nan, "<f4").tobytes())
    status = main(["noisify", *words.split()])
    error = capfd.readouterr().err
    assert status in (2, 3)
    assert message in error
    assert error.startswith("nbnumba: error: ")
    assert error.count("\n") == 1, "no notice of a seed for noise that is not drawn"
    assert not list(tmp_path.glob("*image*")), "nothing is written before all of it can be"


def test_exact_reads_neither_gaps_nor_what_the_beamstop_hides(tmp_path: Path) -> None:
    image = np.full((1564, 1588), 100.0)
    words = "-seed 1 -calibration 0 -dead_pixels 5 -hot_pixels 7 -detector cspad -beamstop 9".split()
    counts = run(tmp_path, image, *words, "-good_pixels", str(tmp_path / "good.npy"))
    good = np.load(tmp_path / "good.npy") != 0
    gaps = ~modules(PRESETS["cspad"])
    hidden = np.hypot(*np.ogrid[-781.5:782, -793.5:794]) * 0.10992 < 9.0
    assert not good[gaps | hidden].any()
    assert not counts[gaps | hidden].any()
    assert 0 < np.count_nonzero(~good & ~gaps & ~hidden) <= 12  # pixels that do not work, of which some are hidden
    assert np.array_equal(counts[~good & (counts > 0)], np.full(np.count_nonzero(counts == 2700), 2700))
    assert abs(counts[good].mean() - 100.0) < 0.035  # five standard deviations of the mean
    assert b"SIZE1=1588;\nSIZE2=1564;\nPIXEL_SIZE=0.10992;" in (tmp_path / "noise.img").read_bytes()[:512]


def test_options_beside_a_detector_win(tmp_path: Path) -> None:
    words = "-seed 1 -calibration 0 -detector cspad -gain 3 -adc 7 -readout 0 -saturation 290 -bits 32".split()
    counts = run(tmp_path, np.full((1564, 1588), 100.0), *words)
    assert counts.max() == 290
    assert ((counts[counts > 0] - 7) % 3 == 0)[counts[counts > 0] < 290].all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-detector cspad", "-floatfile in.bin: holds 48 bytes; 1588 x 1564 pixels take 9934528"),
        ("-detector cspad -detpixels 9", "-detpixels: contradicts -detector cspad"),
        ("-detector cspad -bits 16 -saturation 70000", "-saturation: 70000; with -bits 16 allowed are 1 to 65535"),
        ("-detector cspad -header other.img", "-header other.img: states 4 x 3 pixels; -detector cspad has 1588"),
        ("-detector pilatus6m -exposure 0", "-exposure: 0 s; -dead_time needs one above 0"),
        ("-detector pilatus", "-detector: 'pilatus' is unknown"),
        ("-detpixels_x 4 -beamstop 90", "-beamstop: 90 mm: covers the whole detector"),
        ("-detpixels_x 4 -dead_pixels 7 -hot_pixels 6", "-dead_pixels and -hot_pixels: 13 together; the detector"),
        ("-detpixels_x 4 -good_pixels in.bin", "-good_pixels in.bin: -floatfile reads the same file"),
        ("-detpixels_x 4 -gain 0", "-gain: 0; with -semantics exact allowed are 1e-09 to 1e+09"),
        ("-detpixels_x 4 -adc 1e30", "-adc: 1e+30; with -semantics exact allowed are -1e+09 to 1e+09"),
        ("-detpixels_x 4 -psf gauss -psf_fwhm 1e9", "-psf_fwhm: 1e+07 pixels; allowed are above 0 to 10000"),
        ("-detpixels_x 4 -psf gauss -psf_rad -5", "-psf_rad: -5; with -semantics exact allowed are 0 (automatic)"),
        ("-detpixels_x 4 -psf charge -psf_stage counts", "-psf_stage: counts contradicts -psf charge"),
        ("-detpixels_x 4 -dead_time 3 -exposure 1e-30", "-exposure: 1e-30 s; -dead_time needs 1e-18 to 1e+09 s"),
        ("-detpixels_x 4 -dead_time 1e18", "-dead_time: '1e18' is out of range"),
        ("-detpixels 65537", "-detpixels: '65537' is out of range; allowed: a whole number from 1 to 65536"),
        ("-floatfile nan.bin", "-floatfile nan.bin: 2 pixels hold no finite number"),
        ("-semantics c -beamstop 1", "-beamstop: noisify has no such option; -semantics exact has"),
        ("-semantics c -detector cspad", "-detector: noisify has no such option; -semantics exact has"),
    ],
)
def test_mistakes_about_the_detector_are_one_line(
    words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.bin").write_bytes(np.ones(12, "<f4").tobytes())
    header = b"{\nHEADER_BYTES=512;\nTYPE=unsigned_short;\nSIZE1=4;\nSIZE2=3;\n}\f".ljust(512)
    Path("other.img").write_bytes(header + bytes(24))
    Path("nan.bin").write_bytes(np.array([np.nan, 1, np.inf, 2], "<f4").tobytes())
    assert main(["noisify", "-floatfile", "in.bin", "-seed", "1", "-semantics", "exact", *words.split()]) == 2
    assert message in capfd.readouterr().err
    assert not list(tmp_path.glob("*image*")), "nothing is written before all of it can be"
