"""Makes one page of the studies of a scale, like the supplement of a paper: questions, verdicts, figures, tables, origins.

python -m asymflow.stages.supplement --studies JSON --page OUT.html
"""

import json
import os
from pathlib import Path
from typing import Any

from asymflow.command import long_arguments, run
from asymflow.report import pages, supplement, tables
from asymflow.report.study import Study
from asymflow.report.verdicts import verdicts

PICTURES_WITHIN = b"<image"  # how an SVG begins to show pictures of pixels


def main() -> None:
    parser = long_arguments(__doc__)
    parser.add_argument("--studies", required=True, help="the studies as JSON, or @FILE")
    parser.add_argument("--root", type=Path, default=Path(), help="what their files are named from")
    parser.add_argument("--page", type=Path, required=True)
    arguments = parser.parse_args()
    given, root = json.loads(arguments.studies), arguments.root
    claims = supplement.decided(tables.read(root / given["claims"])) if given["claims"] else None
    sections = [_section(shown, root, arguments.page) for shown in given["studies"]]
    listed = supplement.listed([section["study"] for section in sections])
    page = pages.render("supplement", scale=given["scale"], claims=claims, listed=listed, studies=sections)
    pages.write(page, arguments.page)


def _section(shown: dict[str, Any], root: Path, page: Path) -> dict[str, Any]:
    """What the page shows of a study."""
    study = Study.parse(shown["study"], root)
    files = {name: root / path for name, path in shown["tables"].items()}
    table, summary = tables.read(files["table"]), tables.read(files["summary"])
    tables.check(table, study, files["table"])
    return {
        "study": study,
        "source": shown["source"],
        "expected": shown["expected"],
        "verdicts": verdicts(table, study),
        "pictures": {name: _picture(root / path) for name, path in shown["pictures"].items()},
        "over_seeds": supplement.over_seeds(table, summary, study),
        "tables": {name: supplement.whole(path) for name, path in files.items() if name != "summary"},
        "origins": supplement.origins(table),
        "compare": os.path.relpath(root / shown["pages"]["compare"], page.parent),
    }


def _picture(path: Path) -> dict[str, Any]:
    """A picture as an address that holds it, and whether it is of lines alone, which can be turned light on dark."""
    content = path.read_bytes()
    drawn = path.suffix == ".svg"
    return {
        "address": pages.embedded(content, path.suffix),
        "drawn": drawn,
        "lines": drawn and PICTURES_WITHIN not in content,
    }


if __name__ == "__main__":
    run(main)
