"""The table and the figure of the spectrum."""

import numpy as np
import pytest

from asymflow.report import spectrum_figures

EIGENVALUES = np.array([8.0, 2.0, 0.5])
NOISE = {0.8: 16.0, 0.2: 0.0625}
TABLE = spectrum_figures.table(
    {"eigenvalue": EIGENVALUES, **{f"unexplained_{known}": EIGENVALUES / 2 for known in ("class", "others", "both")}},
    noisy=dict.fromkeys(NOISE, EIGENVALUES / 4),
    alone=dict.fromkeys(NOISE, EIGENVALUES / 3),
    patch_size=1, images=30, heldout=12, data="portraits",
)  # fmt: skip


def test_the_table_has_a_row_for_each_direction_and_columns_for_each_noise_level():
    assert TABLE["direction"].tolist() == [1, 2, 3]
    assert (
        TABLE["noisy_0.8"].tolist() == [2.0, 0.5, 0.125] and TABLE["alone_0.2"].tolist() == (EIGENVALUES / 3).tolist()
    )
    assert (TABLE["data"] == "portraits").all()


def test_the_figure_has_a_line_for_each_column_and_for_each_noise_level():
    left, right = spectrum_figures.spectrum(TABLE, NOISE).axes
    drawn = {line.get_label(): line.get_ydata() for line in [*left.get_lines(), *right.get_lines()]}
    np.testing.assert_array_equal(drawn["nothing (eigenvalue)"], EIGENVALUES)
    np.testing.assert_array_equal(drawn["t = 0.2, the direction alone"], EIGENVALUES / 3)
    np.testing.assert_array_equal(drawn["t = 0.8, all around"], EIGENVALUES / 4)
    for axes in (left, right):
        assert [line.get_ydata()[0] for line in axes.get_lines()][-2:] == list(NOISE.values())
        assert axes.get_xscale() == axes.get_yscale() == "log"
        assert axes.get_ylim()[1] > 16 and axes.get_ylim()[0] < 0.125


def test_the_footnote_says_what_was_measured_on_what():
    texts = [text.get_text() for text in spectrum_figures.spectrum(TABLE, NOISE).texts]
    assert any("portraits" in text and "fitted on 18 images, measured on 12 others" in text for text in texts)


def test_a_direction_without_variance_does_not_stretch_the_figure():
    empty = TABLE.assign(eigenvalue=[8.0, 2.0, 0.0])
    assert spectrum_figures.spectrum(empty, NOISE).axes[0].get_ylim()[0] == pytest.approx(0.125 / 1.5)
