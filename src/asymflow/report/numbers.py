"""Numbers as prose and tables on pages show them: as many digits as mean something."""

import math

DIGITS = 3  # of a number that comes without an error


def plain(value: float) -> str:
    """A number with three digits that count."""
    if not math.isfinite(value):
        return "none" if math.isnan(value) else _signed(str(value))
    decimals = DIGITS - 1 - _magnitude(value)
    return _signed(f"{value:.{max(0, decimals)}f}" if decimals < 8 else f"{value:.{DIGITS - 1}e}")


def with_error(value: float, error: float) -> str:
    """A number and its error, to two digits of the error; the number alone where there is none."""
    if not (math.isfinite(value) and math.isfinite(error) and error > 0):
        return plain(value)
    decimals = max(0, 1 - _magnitude(error))
    return f"{_signed(f'{value:.{decimals}f}')} ± {error:.{decimals}f}"


def between(value: float, low: float, high: float) -> str:
    """A number and the ends of its interval, to two digits of half its width."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        return plain(value)
    decimals = max(0, 1 - _magnitude((high - low) / 2))
    return "{} ({} to {})".format(*(_signed(f"{number:.{decimals}f}") for number in (value, low, high)))


def _magnitude(value: float) -> int:
    """The power of ten of the first digit; of 0 that of 1."""
    return math.floor(math.log10(abs(value))) if value else 0


def _signed(text: str) -> str:
    """With a minus sign instead of a hyphen, and none before a zero."""
    return text.replace("-", "\N{MINUS SIGN}") if any(digit in text for digit in "123456789if") else text.lstrip("-")
