"""The page of a comparison in a real browser: opened from disk, moved, zoomed and read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from browser import Browser
from numpy.typing import NDArray
from requirements import requires

from nbnumba.compare import page, summary
from nbnumba.compare.metrics import Thresholds, judge, measure
from nbnumba.compare.pair import Pair, make_pair
from nbnumba.imagefiles.records import LoadedImage

PANELS = ("a", "b", "difference")
SHAPE = (90, 120)


def images(dtype: str = "float32") -> tuple[NDArray, NDArray]:
    """Two images without two equal pixels, that differ everywhere; one pixel of A is not a number."""
    random = np.random.default_rng(8)
    a = random.gamma(2.0, 10.0, SHAPE).astype(dtype)
    a[40:43, 60:63] += 5000
    b = (a * (1 + 0.01 * random.standard_normal(SHAPE))).astype(dtype)
    b[70, 100] += 300
    a[5, 7] = np.nan
    return a, b


def write_page(path: Path, a: NDArray, b: NDArray, names: tuple[str, str] = ("A.bin", "B.bin"), **more: object) -> Pair:
    roi, most_pixels = more.get("roi"), more.get("most_pixels", page.MOST_PIXELS)
    loaded = [LoadedImage(name, "test", values.astype(np.float64)) for name, values in zip(names, (a, b), strict=True)]
    pair = make_pair(loaded[0], loaded[1], roi)  # type: ignore[arg-type]
    metrics = measure(pair)
    checks = judge(metrics, Thresholds())
    found, table = summary.as_dict(pair, metrics, checks, None), summary.rows(metrics, checks)
    page.write(path, pair, metrics, found, table, 99.0, most_pixels)  # type: ignore[arg-type]
    return pair


class Panel(NamedTuple):
    """Where a panel lies in the window, its border excluded."""

    left: float
    top: float
    width: float
    height: float

    def at(self, slow: float, fast: float, shape: tuple[int, int] = SHAPE) -> tuple[float, float]:
        """Return the place of a pixel's center when the whole image is shown."""
        scale = min(self.width / shape[1], self.height / shape[0])
        x = self.left + self.width / 2 + (fast + 0.5 - shape[1] / 2) * scale
        y = self.top + self.height / 2 + (slow + 0.5 - shape[0] / 2) * scale
        return x, y


def panel(browser: Browser, name: str) -> Panel:
    return Panel(
        *browser.evaluate(
            f"""(() => {{
                const panel = document.querySelector('[data-panel={name}]'), box = panel.getBoundingClientRect();
                return [box.left + panel.clientLeft, box.top + panel.clientTop, panel.clientWidth, panel.clientHeight];
            }})()"""
        )
    )


class Reading(NamedTuple):
    slow: int
    fast: int
    a: float
    b: float
    difference: float


def texts(browser: Browser) -> list[str]:
    ids = ("at-slow", "at-fast", "value-a", "value-b", "value-difference")
    return [browser.evaluate(f"document.getElementById('{name}').textContent") for name in ids]


def read_at(browser: Browser, x: float, y: float) -> Reading:
    """Point at a place of the window and return what the page says."""
    browser.mouse("mouseMoved", x, y)
    slow, fast, *values = texts(browser)
    return Reading(int(slow), int(fast), *map(float, values))


def color(browser: Browser, name: str, x: float, y: float) -> list[int]:
    """Return red, green and blue that a panel shows at a place of the window."""
    browser.settle()
    place = panel(browser, name)
    right, down = x - place.left, y - place.top
    shown: list[int] = browser.evaluate(
        f"""(() => {{
            const canvas = document.querySelector('[data-panel={name}]'), ratio = canvas.width / canvas.clientWidth;
            const pixel = canvas.getContext('2d').getImageData({right} * ratio, {down} * ratio, 1, 1);
            return [...pixel.data.slice(0, 3)];
        }})()"""
    )
    return shown


def set_control(browser: Browser, selector: str, action: str, event: str) -> None:
    browser.evaluate(
        f"""(() => {{
            const control = document.querySelector('{selector}');
            {action};
            control.dispatchEvent(new Event('{event}', {{ bubbles: true }}));
        }})()"""
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "compare.html"
    write_page(path, *images())
    return path


@pytest.fixture
def opened(browser: Browser, file: Path) -> Browser:
    """Return the browser with the page open, the pointer outside the panels, no marks over the pixels."""
    browser.requests.clear()
    browser.errors.clear()
    browser.mouse("mouseMoved", 1, 1)
    browser.open(file)
    browser.evaluate("document.getElementById('marks').click()")
    browser.settle()
    return browser


def chromium(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs the browser."""
    marked: Callable[..., None] = requires("Chromium")(pytest.mark.browser(test))
    return marked


@chromium
def test_opens_from_disk_and_asks_for_nothing_else(opened: Browser, file: Path) -> None:
    assert opened.requests == [file.as_uri()]
    assert opened.errors == []
    assert not opened.evaluate("document.getElementById('viewer').hidden")


@chromium
@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("pixel", [(0, 0), (41, 61), (70, 100), (89, 119), (13, 87)])
def test_pixel_under_the_pointer_is_that_of_the_arrays(opened: Browser, name: str, pixel: tuple[int, int]) -> None:
    a, b = images()
    found = read_at(opened, *panel(opened, name).at(*pixel))
    assert (found.slow, found.fast) == pixel
    assert np.float32(found.a) == a[pixel]
    assert np.float32(found.b) == b[pixel]
    # The page prints nine digits.
    assert found.difference == pytest.approx(float(b[pixel]) - float(a[pixel]), rel=1e-8)


@chromium
def test_pixel_without_value(opened: Browser) -> None:
    place = panel(opened, "a").at(5, 7)
    opened.mouse("mouseMoved", *place)
    assert texts(opened)[2] == "no value"
    opened.mouse("mouseMoved", 1, 1)
    assert color(opened, "a", *place) == [240, 228, 66]


@chromium
def test_wheel_zooms_all_panels_about_the_pointer(opened: Browser) -> None:
    places = [panel(opened, name) for name in PANELS]
    target = (41, 61)
    x, y = places[1].at(*target)
    before = read_at(opened, x + 30, y)
    for _ in range(4):
        opened.mouse("mouseWheel", x, y, deltaX=0, deltaY=-200)
    opened.settle()
    a, b = images()
    for place in places:
        found = read_at(opened, x - places[1].left + place.left, y - places[1].top + place.top)
        assert (found.slow, found.fast) == target
        assert np.float32(found.a) == a[target]
        assert np.float32(found.b) == b[target]
        beside = read_at(opened, x + 30 - places[1].left + place.left, y - places[1].top + place.top)
        # exp(0.0015 * 800) = 3.3 times larger; rounded to whole pixels.
        assert abs((before.fast - target[1]) / 3.32 - (beside.fast - target[1])) <= 1.0
    for _ in range(4):
        opened.mouse("mouseWheel", x, y, deltaX=0, deltaY=200)
    assert read_at(opened, x + 30, y).fast == before.fast


@chromium
def test_drag_moves_all_panels_with_the_pointer(opened: Browser) -> None:
    places = [panel(opened, name) for name in PANELS]
    start = places[0].at(30, 40)
    end = (start[0] + 55, start[1] + 24)
    opened.drag(start, end)
    opened.settle()
    a, b = images()
    for place in places:
        found = read_at(opened, end[0] - places[0].left + place.left, end[1] - places[0].top + place.top)
        assert (found.slow, found.fast) == (30, 40)
        assert np.float32(found.a) == a[30, 40]
        assert np.float32(found.b) == b[30, 40]
    opened.evaluate("document.getElementById('fit').click()")
    assert read_at(opened, *start)[:2] == (30, 40)


@chromium
def test_colors_follow_the_values_and_the_contrast(opened: Browser) -> None:
    a, b = images()
    places = {name: panel(opened, name) for name in PANELS}
    bright, spot = places["a"].at(41, 61), places["difference"].at(70, 100)
    assert color(opened, "a", *bright) == [0, 0, 0]  # above the 99th percentile
    dark = np.unravel_index(np.nanargmin(a), SHAPE)
    assert min(color(opened, "a", *places["a"].at(float(dark[0]), float(dark[1])))) > 240
    red, green, blue = color(opened, "difference", *spot)
    assert red > green
    assert red > blue
    below = np.unravel_index(np.nanargmin(b - a), SHAPE)
    red, green, blue = color(opened, "difference", *places["difference"].at(float(below[0]), float(below[1])))
    assert blue > red

    middle = np.argwhere((a > 60) & (a < 70))[0]
    place = places["a"].at(*map(float, middle))
    logarithmic = color(opened, "a", *place)[0]
    set_control(opened, "[name=stretch][value=linear]", "control.checked = true", "change")
    assert color(opened, "a", *place)[0] > logarithmic
    set_control(opened, "#contrast", "control.value = control.max", "input")
    assert "the largest" in opened.evaluate("document.getElementById('contrast-text').textContent")
    largest = float(np.nanmax([a, b]))
    # White is near 1 (up to one unit), black the largest: linear between, in a table of whole numbers.
    assert color(opened, "a", *place)[0] == pytest.approx(255 * (1 - a[tuple(middle)] / largest), abs=2)
    red_before = color(opened, "difference", *places["difference"].at(41, 61))
    set_control(opened, "#contrast-difference", "control.value = 0", "input")
    assert sum(color(opened, "difference", *places["difference"].at(41, 61))) <= sum(red_before)


@chromium
def test_profile_along_a_drawn_line(opened: Browser) -> None:
    place = panel(opened, "b")
    opened.drag(place.at(41, 50), place.at(41, 75), modifiers=8)
    opened.settle()
    typed = opened.evaluate("[...document.querySelectorAll('#line input[type=number]')].map(i => Number(i.value))")
    assert typed == [41, 50, 41, 75]
    assert "26 pixels" in opened.evaluate("document.getElementById('profile-text').textContent")
    path = opened.evaluate("document.querySelector('#profile-plot .curve.a').getAttribute('d')")
    heights = -np.array([float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)])
    a, _ = images()
    # The curve is a straight map of the values, rounded to a tenth of a unit of about 180.
    slope, offset = np.polyfit(a[41, 50:76].astype(float), heights, 1)
    assert slope > 0
    np.testing.assert_allclose(heights, slope * a[41, 50:76] + offset, atol=0.06)
    # Nothing moved: the view is the whole image still.
    assert read_at(opened, *place.at(10, 10))[:2] == (10, 10)


@chromium
def test_profile_between_typed_ends_leads_back_to_the_pixels(opened: Browser) -> None:
    ends = json.dumps({"slow0": 10, "fast0": 20, "slow1": 50, "fast1": 20})
    opened.evaluate(
        f"(() => {{ const form = document.getElementById('line');"
        f"for (const [name, value] of Object.entries({ends})) form.elements[name].value = value;"
        "form.requestSubmit(); document.getElementById('profile-plot').scrollIntoView({block: 'center'}); })()"
    )
    opened.settle()
    left, top, width = opened.evaluate(
        "(() => { const box = document.getElementById('profile-plot').getBoundingClientRect();"
        "return [box.left, box.top, box.width]; })()"
    )
    # The plot runs from 80 to 890 of 900 units.
    found = read_at(opened, left + width * (80 + 810 / 4) / 900, top + 50)
    assert (found.slow, found.fast) == (20, 20)
    assert np.float32(found.a) == images()[0][20, 20]
    set_control(opened, "#profile-log", "control.checked = true", "change")
    assert "NaN" not in opened.evaluate("document.getElementById('profile-plot').innerHTML")


@chromium
def test_dragging_draws_when_asked_to(opened: Browser) -> None:
    set_control(opened, "[name=mode][value=line]", "control.checked = true", "change")
    place = panel(opened, "difference")
    opened.drag(place.at(20, 30), place.at(60, 90))
    assert "61 pixels from slow 20, fast 30 to slow 60, fast 90" in opened.evaluate(
        "document.getElementById('profile-text').textContent"
    )


@chromium
def test_keys(opened: Browser) -> None:
    opened.evaluate("document.querySelector('[data-panel=a]').focus()")
    opened.mouse("mouseMoved", *panel(opened, "a").at(20, 30))
    opened.press("ArrowRight")
    opened.press("ArrowDown")
    assert texts(opened)[:2] == ["21", "31"]
    assert "slow 21, fast 31: A " in opened.evaluate("document.getElementById('spoken').textContent")
    opened.press("+")
    opened.settle()
    assert read_at(opened, *panel(opened, "a").at(21, 31))[:2] == (21, 31)  # zoomed about that pixel
    moved = read_at(opened, *panel(opened, "a").at(21, 60))
    assert moved.fast < 60
    opened.press("0")
    opened.settle()
    assert read_at(opened, *panel(opened, "a").at(21, 60)).fast == 60


@chromium
def test_worst_pixels_are_listed_and_shown(opened: Browser) -> None:
    a, b = images()
    difference = np.nan_to_num(np.abs(b.astype(float) - a.astype(float)))
    worst = tuple(map(int, np.unravel_index(difference.argmax(), SHAPE)))
    opened.evaluate("document.querySelector('[data-worst=\"0\"]').click()")
    opened.settle()
    assert tuple(map(int, texts(opened)[:2])) == worst
    place = panel(opened, "a")
    assert read_at(opened, place.left + place.width / 2, place.top + place.height / 2)[:2] == worst


@chromium
def test_marks_are_drawn(opened: Browser) -> None:
    before = opened.evaluate("document.querySelector('[data-panel=a]').toDataURL()")
    opened.evaluate("document.getElementById('marks').click()")
    opened.settle()
    assert opened.evaluate("document.querySelector('[data-panel=a]').toDataURL()") != before


@chromium
@pytest.mark.parametrize(("width", "ratio"), [(420, 1), (420, 3), (2200, 2)])
def test_window_of_another_size(opened: Browser, width: int, ratio: float) -> None:
    try:
        metrics = {"width": width, "height": 1500, "deviceScaleFactor": ratio, "mobile": False}
        opened.call("Emulation.setDeviceMetricsOverride", **metrics)
        opened.settle()
        assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        found = read_at(opened, *panel(opened, "b").at(41, 61))
        assert (found.slow, found.fast) == (41, 61)
        opened.mouse("mouseMoved", 1, 1)
        assert color(opened, "b", *panel(opened, "b").at(41, 61)) == [0, 0, 0]
    finally:
        opened.call("Emulation.clearDeviceMetricsOverride")


@chromium
def test_double_precision_and_a_region(browser: Browser, tmp_path: Path) -> None:
    a, b = images("float64")
    write_page(tmp_path / "page.html", a, b, roi=(50, 109, 30, 79))
    browser.open(tmp_path / "page.html")
    found = read_at(browser, *panel(browser, "a").at(3, 4, (50, 60)))
    assert (found.slow, found.fast) == (33, 54)
    assert (found.a, found.b) == (a[33, 54], b[33, 54])


@chromium
def test_large_images_are_reduced_by_a_stated_factor(browser: Browser, tmp_path: Path) -> None:
    a, b = images()
    a[5, 7] = 1.0
    write_page(tmp_path / "page.html", a, b, most_pixels=1300)
    browser.open(tmp_path / "page.html")
    assert "average of 3 x 3 pixels" in browser.evaluate("document.querySelector('header').innerText")
    found = read_at(browser, *panel(browser, "b").at(10, 20, (30, 40)))
    assert (found.slow, found.fast) == (30, 60)
    # Averages are rounded to float32.
    assert found.b == pytest.approx(b[30:33, 60:63].astype(float).mean(), rel=1e-7)


@chromium
@pytest.mark.parametrize("value", [0.0, 3.5, np.nan, np.inf])
def test_images_without_contrast(browser: Browser, tmp_path: Path, value: float) -> None:
    flat = np.full((20, 20), value, np.float32)
    write_page(tmp_path / "page.html", flat, flat)
    browser.errors.clear()
    browser.open(tmp_path / "page.html")
    browser.mouse("mouseMoved", *panel(browser, "a").at(3, 4, (20, 20)))
    assert texts(browser)[2] == {"nan": "no value", "inf": "Infinity"}.get(str(value), f"{value:g}")
    browser.drag(panel(browser, "a").at(3, 4, (20, 20)), panel(browser, "a").at(9, 4, (20, 20)), modifiers=8)
    browser.settle()
    assert browser.errors == []
    assert "NaN" not in browser.evaluate("document.getElementById('profile-plot').innerHTML")


@chromium
def test_names_are_shown_as_they_are(browser: Browser, tmp_path: Path) -> None:
    names = ("</script><b>&amp;.bin", "{{data_a}}.bin")
    write_page(tmp_path / "page.html", *images(), names=names)
    browser.open(tmp_path / "page.html")
    shown = browser.evaluate("[...document.querySelectorAll('figcaption .name')].map(e => e.textContent)")
    assert tuple(shown) == names


def test_page_names_no_other_file_or_address(file: Path) -> None:
    text = file.read_text()
    assert "default-src 'none'" in text
    assert not re.findall(r"https?:|//[a-z]+\.|@import|url\(", text.split('id="data-a"')[0])
    assert not re.findall(r"\bsrc=|\bimport\b", text)
    for name in ("pixels.js", "panels.js", "profile.js", "page.js"):
        script = (resources.files("nbnumba.compare.page") / name).read_text()
        assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|https?:", script)


def test_equal_images_cost_little_more_than_one(tmp_path: Path) -> None:
    a = np.random.default_rng(9).random((300, 300)).astype(np.float32)
    write_page(tmp_path / "same.html", a, a)
    write_page(tmp_path / "other.html", a, a[::-1])
    same, other = ((tmp_path / name).stat().st_size for name in ("same.html", "other.html"))
    assert other - same > 0.9 * 300 * 300 * 3  # random mantissas, three bytes of four, in base64
