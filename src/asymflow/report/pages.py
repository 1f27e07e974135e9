"""Web pages that hold all that they show, so that they work wherever they lie: no file beside them, no network.

Their templates are files of this package. What is filled in is escaped, whatever it holds.
"""

import base64
from pathlib import Path

import jinja2

from asymflow.files import writing

TEMPLATES = Path(__file__).parent / "templates"
KINDS = {".png": "image/png", ".svg": "image/svg+xml", ".webp": "image/webp"}


def render(page: str, **values: object) -> str:
    """The page of this name with its values filled in. Raises jinja2.UndefinedError for one that it lacks."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(f"{page}.html").render(values)


def write(page: str, path: Path) -> None:
    """Writes the page whole or not at all."""
    with writing(path) as file:
        file.write(page.encode())


def embedded(picture: bytes, suffix: str) -> str:
    """The picture as an address that holds it."""
    return f"data:{KINDS[suffix]};base64,{base64.b64encode(picture).decode()}"
