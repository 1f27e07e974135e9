from itertools import combinations

import numpy as np
import pytest
from matplotlib.text import Text

from asymflow.report import method, style

DIMENSION = 12  # of a patch: 2 x 2 x 3


def pictures(names, size):
    generator = np.random.default_rng(0)
    return {name: generator.standard_normal((size, size, 3), dtype=np.float32) for name in names}


def parameterisation(ranks, size=4):
    known = pictures(("x_0", "eps", "x_t", "u"), size)
    parts = {r: pictures(("noise", "target", "inside", "outside"), size) | {"velocity": known["u"]} for r in ranks}
    return method.parameterisation(known, parts, 0.5, 4.0)


def components(ranks, size=4):
    spectrum = np.linspace(2, 0, max(ranks))
    return method.components({r: pictures(("velocity", "image", "target"), size) for r in ranks}, spectrum)


FIGURES = {"paper": [(0, 8, 128, 768), (0, 2, 8, 32, 128, 768)], "small": [(0, 8, 12), (0, 2, 8, 12)]}


@pytest.fixture(params=FIGURES)
def drawn(request):
    first, second = FIGURES[request.param]
    return parameterisation(first), components(second)


def test_no_text_covers_another_or_a_picture(drawn):
    for figure in drawn:
        figure.canvas.draw()
        boxes = [
            (t.get_text(), t.get_window_extent()) for t in figure.findobj(Text) if t.get_text() and t.get_visible()
        ]
        for (one, box), (other, another) in combinations(boxes, 2):
            assert not box.overlaps(another), f"{one!r} covers {other!r}"
        for image in figure.axes[0].images:
            covering = [text for text, box in boxes if box.overlaps(image.get_window_extent())]
            assert not covering, f"{covering} on a picture"


def test_no_text_leaves_the_page(drawn):
    for figure in drawn:
        figure.canvas.draw()
        page = figure.bbox
        for text in figure.findobj(Text):
            box = text.get_window_extent()
            inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
            assert inside or not text.get_text(), text.get_text()


def test_what_does_not_depend_on_the_rank_is_drawn_once():
    few, many = parameterisation((0, DIMENSION)), parameterisation((0, 4, 8, DIMENSION))
    assert len(few.axes[0].images) == 4 + 2 * 4 + 1
    assert len(many.axes[0].images) == 4 + 4 * 4 + 1


def test_a_component_that_is_nothing_says_so():
    nothing = {name: np.zeros((4, 4, 3), np.float32) for name in ("velocity", "image", "target")}
    figure = method.components({0: nothing, DIMENSION: pictures(nothing, 4)}, np.ones(DIMENSION))
    assert [text.get_text() for text in figure.axes[0].texts].count("0") == 3


def test_zero_is_grey_and_the_ends_of_the_range_are_black_and_white():
    _, sheet = method._sheet(2.0, 2.0)
    values = np.array([0, -2, 2, 9, -9, 1]).reshape(1, 6, 1).repeat(3, axis=2)
    method._tile(sheet, 0.0, 0.0, values, 2.0)
    assert sheet.images[0].get_array()[0, :, 0].tolist() == [0.5, 0, 1, 1, 0, 0.75]


def test_the_noise_share_is_that_of_simulated_targets():
    generator = np.random.default_rng(0)
    x_0, eps = generator.standard_normal((100_000, DIMENSION)) * 0.5, generator.standard_normal((100_000, DIMENSION))
    for rank in (0, 3, DIMENSION):
        noise = eps * (np.arange(DIMENSION) < rank)
        simulated = (noise**2).sum() / ((noise - x_0) ** 2).sum()
        energy = (x_0**2).sum(axis=1).mean()
        assert method.noise_share(rank, energy) == pytest.approx(simulated, abs=0.01)  # 1e-3 is one standard error


def test_the_image_outside_falls_from_all_to_nothing():
    assert method.image_outside(np.array([3.0, 1.0, 0.0])) == pytest.approx([1, 0.25, 0, 0])


def test_ranks_beyond_the_dimension_are_left_out():
    assert method.shown_ranks((0, 8, 128), 48) == [0, 8, 48]
    assert method.shown_ranks((0, 8, 128), 128) == [0, 8, 128]


def test_the_same_figure_has_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        style.save(components((0, 2, DIMENSION)), [tmp_path / f"{name}.svg"])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
