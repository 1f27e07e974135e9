import math

import pytest

from asymflow.report.numbers import between, plain, with_error


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.00"),
        (422.04, "422"),
        (30.26, "30.3"),
        (0.012345, "0.0123"),
        (-1.815, "−1.81"),
        (28000.0, "28000"),
        (1e-9, "1.00e−09"),
    ],
)
def test_a_number_has_three_digits_that_count(value, shown):
    assert plain(value) == shown


def test_what_is_no_number_says_so():
    assert (plain(math.nan), plain(math.inf), plain(-math.inf)) == ("none", "inf", "−inf")


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (30.26, 1.63, "30.3 ± 1.6"),
        (421.9, 12.4, "422 ± 12"),
        (0.2956, 0.01393, "0.296 ± 0.014"),
        (-0.001, 1.2, "0.0 ± 1.2"),
        (5.0, math.nan, "5.00"),
        (5.0, 0.0, "5.00"),
    ],
)
def test_a_number_has_as_many_digits_as_its_error_allows(value, error, shown):
    assert with_error(value, error) == shown


def test_an_interval_has_two_digits_of_half_its_width():
    assert between(-6.64769, -7.933, -5.36238) == "−6.6 (−7.9 to −5.4)"
    assert between(3.17, math.nan, math.nan) == "3.17"
