import io

import numpy as np
from PIL import Image

from asymflow.report.comparison import FEWEST, IMAGES, LONGEST, PIXELS, called, count, series, sheet


def test_settings_that_differ_in_their_snapshot_alone_are_a_series_in_its_order():
    fields = {
        "guided_part2": {"steps": 4, "snapshot": 2},
        "bare": {"steps": 4, "snapshot": None},
        "guided_part1": {"steps": 4, "snapshot": 1},
        "slow_part1": {"steps": 8, "snapshot": 1},
        "same": {"steps": 4, "snapshot": None},
    }
    assert series(fields) == [["guided_part1", "guided_part2"], ["bare"], ["slow_part1"], ["same"]]


def test_a_series_is_called_what_its_names_have_in_common():
    assert called(["prx_part1", "prx_part2", "prx_part10"]) == "prx_part"
    assert called(["part8"]) == "part8"
    assert called(["early", "late"]) == "early, late"


def test_large_images_are_fewer_so_that_a_page_can_be_opened():
    assert count(20, 32, 32) == IMAGES
    assert FEWEST < count(40, 256, 256) < IMAGES and count(40, 256, 256) * 40 * 256 * 256 <= PIXELS
    assert count(80, 1024, 1024) == FEWEST
    assert count(1, 1024, 1024) * 1024 <= LONGEST


def test_a_sheet_loses_nothing():
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 7, 3), dtype=np.uint8)
    shown = np.asarray(Image.open(io.BytesIO(sheet(images))).convert("RGB"))
    assert (shown.reshape(5, 3, 7, 3) == images).all()
