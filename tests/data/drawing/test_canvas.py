import numpy as np
import pytest

from asymflow.data.drawing.canvas import (
    Canvas,
    Frame,
    box,
    ellipse,
    noise1,
    noise2,
    segment,
    sensor_noise,
    smoothstep,
    strands,
    tones,
    triangle,
    uniforms,
    wave,
)

PICTURE = Frame(0.5, 0.5, 1.0, 0.0)


def whole(size, frame=PICTURE):
    canvas = Canvas(size)
    return canvas, canvas.area(frame, 0.0, 0.0, 1.0, 1.0)


def test_cover_adds_up_to_the_area_of_the_shape():
    # Analytic coverage of smooth outlines is exact up to their bend within a pixel: well below 1 % at 64 pixels.
    canvas, area = whole(64)
    assert canvas.cover(ellipse(area.x, area.y, 0.31, 0.22)).mean() == pytest.approx(np.pi * 0.31 * 0.22, rel=0.01)
    rounded = 4 * 0.3 * 0.2 - (4 - np.pi) * 0.1 * 0.1
    assert canvas.cover(box(area.x, area.y, 0.3, 0.2, 0.1)).mean() == pytest.approx(rounded, rel=0.01)


@pytest.mark.parametrize("width", [0.004, 0.02, 0.06])
def test_a_line_covers_its_length_times_its_width_even_below_a_pixel(width):
    canvas, area = whole(64)
    cover = canvas.line(segment(area.x, area.y, -0.4, 0.1, 0.4, -0.2), width)
    length = (0.8**2 + 0.3**2) ** 0.5
    assert cover.mean() == pytest.approx(length * width, rel=0.1)  # the round ends and oblique pixels


def test_an_area_holds_the_same_pixels_that_the_whole_canvas_would():
    tilted = Frame(0.45, 0.55, 0.96, 0.28)
    canvas, everything = whole(96, tilted)
    part = canvas.area(tilted, 0.1, -0.2, 0.15, 0.05)
    assert np.array_equal(part.x, everything.x[part.rows, part.columns])
    assert np.array_equal(part.y, everything.y[part.rows, part.columns])
    inside = (np.abs(everything.x - 0.1) <= 0.15) & (np.abs(everything.y + 0.2) <= 0.05)
    rest = inside.copy()
    rest[part.rows, part.columns] = False
    assert inside.any() and not rest.any()


def test_an_area_beside_the_canvas_is_empty():
    canvas = Canvas(32)
    area = canvas.area(PICTURE, 3.0, 0.0, 0.1, 0.1)
    assert area.x.size == 0
    canvas.paint(area, canvas.cover(area.x), (1.0, 1.0, 1.0))
    assert not canvas.pixels.any()


def test_clipped_painting_stays_under_its_cover():
    canvas, area = whole(32)
    cover = canvas.cover(ellipse(area.x, area.y, 0.3, 0.3))
    with canvas.clipped(area, cover):
        canvas.paint(area, np.ones_like(cover), (1.0, 0.5, 0.25))
    np.testing.assert_allclose(canvas.pixels, cover * np.array([1.0, 0.5, 0.25]).reshape(3, 1, 1), atol=1e-15)


def test_tones_pass_through_their_three_colours():
    shown = tones((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), (0.9, 0.8, 0.7), np.array([-1.0, 0.0, 0.5, 1.0, 2.0]))
    expected = [[0.1, 0.1, 0.4, 0.9, 0.9], [0.2, 0.2, 0.5, 0.8, 0.8], [0.3, 0.3, 0.6, 0.7, 0.7]]
    np.testing.assert_allclose(shown, expected, atol=1e-15)


def test_waves_have_period_one():
    q = np.linspace(-3, 3, 61)
    for function in (triangle, wave):
        np.testing.assert_allclose(function(q), function(q + 1), atol=1e-12)
    assert triangle(np.array([0.0, 0.5])).tolist() == [1.0, 0.0]
    assert wave(np.array([0.0, 0.25, 0.5])).tolist() == [1.0, 0.0, -1.0]
    assert smoothstep(1.0, 0.0, np.array([-1.0, 0.5, 2.0])).tolist() == [1.0, 0.5, 0.0]


def test_noise_passes_through_its_table_and_is_continuous():
    table = uniforms(4, stream=0, count=64)
    assert np.array_equal(noise1(table, np.arange(64.0)), table)
    assert np.array_equal(noise1(table, np.arange(64.0) - 128), table)
    q = np.linspace(0, 9, 9001)
    assert np.abs(np.diff(noise1(table, q))).max() < 0.002
    assert np.abs(np.diff(noise2(table, q, 0.7 * q))).max() < 0.004


def test_larger_pictures_get_finer_strands():
    table, q = uniforms(4, stream=0, count=256), np.linspace(0, 1, 4096)
    rough = [np.abs(np.diff(strands(table, q, lowest=14.0, size=size))).mean() for size in (32, 64, 128, 256)]
    assert rough == sorted(rough) and rough[0] < 0.7 * rough[1]


def test_random_streams_are_uniform_and_differ_by_key_and_stream():
    draws = uniforms(1, 2, stream=0, count=20000)
    assert draws.min() >= 0 and draws.max() < 1
    assert draws.mean() == pytest.approx(0.5, abs=0.01) and draws.var() == pytest.approx(1 / 12, rel=0.03)
    for other in (uniforms(1, 3, stream=0, count=20000), uniforms(2, 2, stream=0, count=20000)):
        assert abs(np.corrcoef(draws, other)[0, 1]) < 0.03
    assert abs(np.corrcoef(draws, uniforms(1, 2, stream=1, count=20000))[0, 1]) < 0.03


def test_sensor_noise_is_standard_and_nearly_normal():
    noise = sensor_noise(1, 2, stream=2, shape=(3, 100, 100))
    assert noise.mean() == pytest.approx(0, abs=0.02) and noise.var() == pytest.approx(1, rel=0.02)
    assert (noise**4).mean() == pytest.approx(2.7, rel=0.04)  # four uniforms: kurtosis 3 - 6/5/4
    assert np.abs(noise).max() <= 2 * 3**0.5
