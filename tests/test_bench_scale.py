"""The prediction of large sets."""

from __future__ import annotations

import argparse

import pytest

from bench.scale import PARTS, Costs, larger, measure, middle, predict, report

COSTS = Costs(
    {
        "set-up": 0.008,
        "spots and background": 0.5,
        "photon noise": 0.04,
        "labels": 0.002,
        "compression and writing": 0.05,
    },
    stored=1e6,
    disk=1e9,
    start=2.0,
    shown=0.01,
)


def test_the_slowest_part_is_named_and_counts() -> None:
    slow = predict(COSTS, 1000, 10, 5e9)
    assert (slow.bottleneck, slow.total) == ("processors", pytest.approx(2.0 + 60.0 + 1.0))
    slow = predict(COSTS, 1000, 1000, 1e7)
    assert (slow.bottleneck, slow.total) == ("disk", pytest.approx(2.0 + 100.0 + 1.0))
    slow = predict(COSTS, 100_000, 10**6, 1e12, images_per_file=1)
    assert (slow.bottleneck, slow.total) == ("scheduler", pytest.approx(2.0 + 100.0 + 1.0))


def test_all_but_set_up_and_labels_grow_with_the_pixels() -> None:
    big = larger(COSTS, 9_000_000, 1_000_000)
    assert big.seconds == pytest.approx(
        {
            "set-up": 0.008,
            "spots and background": 4.5,
            "photon noise": 0.36,
            "labels": 0.002,
            "compression and writing": 0.45,
        }
    )
    assert big.stored == pytest.approx(9e6)


@pytest.mark.parametrize(
    ("gpu_image_s", "expected"),
    [
        (None, "with 8 cores each: at least 5.5 minutes, limited by the processors beside them"),
        (3.2, "166.7 minutes, limited by the GPUs"),
        (0.01, "5.5 minutes, limited by the processors"),
    ],
)
def test_the_report_states_cores_and_gpus(gpu_image_s: float | None, expected: str) -> None:
    given = argparse.Namespace(cores=400, gpus=32, cores_per_gpu=8, gpu_image_s=gpu_image_s, disk=5000.0)
    lines = report(COSTS, 1000, [(1, 10.0, 11.0), (2, 6.0, 6.5)], given)
    assert "| 2 | 6.0 s | 6.5 s |" in lines
    # 100 000 images of 5.32 s on 400 cores, after a start of 2 s and before an end of 9 s.
    assert "- 400 cores: 22.4 minutes, limited by the processors" in lines
    assert lines[-1].startswith("- 32 GPUs")
    assert expected in lines[-1]


def test_every_part_is_measured() -> None:
    costs = middle([measure(48, 1)] * 3)
    assert set(costs.seconds) == set(PARTS)
    assert min(*costs.seconds.values(), costs.stored, costs.disk, costs.start, costs.shown) > 0.0
