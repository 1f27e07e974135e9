"""What MkDocs asks for beside its own work: links from pages to files of the repository lead somewhere on the site too.

On GitHub `[the arms](../workflow/config.yaml)` opens the file. Here every file that is linked so becomes a page `source/<path>`,
pages in Markdown as they are and everything else as code, and links are turned to it. So pages are written once, for both, and a
link to a file that is not there stops the build.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<=\]\()(?!\w+:|/)([^)#\s]+)(?=[)#])")  # the path of a relative link
FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
ALWAYS = ("CHANGELOG.md", "CONTRIBUTING.md")  # pages of the navigation
SHOWN = "source/"
LANGUAGES = {".py": "python", ".yaml": "yaml", ".smk": "python", ".toml": "toml", ".json": "json"}
UNSEARCHED = "---\nsearch: {exclude: true}\n---\n\n"


def on_files(files, config):
    """Adds a page for each file of the repository that a page links to, and for those that these link to."""
    written = [posixpath.join("docs", file.src_uri) for file in files.documentation_pages()]
    waiting, made = [*ALWAYS, *(path for page in written for path in _outside(page))], set()
    while waiting:
        path = waiting.pop()
        if path not in made:
            made.add(path)
            files.append(File.generated(config, _page(path), content=_content(path)))
            waiting += _outside(path) if path.endswith(".md") else []
    return files


def on_page_markdown(markdown, page, config, files):
    """The page with links to files of the repository turned to their pages."""
    uri = page.file.src_uri
    path = uri.removeprefix(SHOWN) if uri.startswith(SHOWN) else posixpath.join("docs", uri)
    if not (ROOT / path).is_file():  # a page of code
        return markdown
    return _outside_fences(markdown, lambda text: LINK.sub(lambda link: _turned(link[1], path, uri), text))


def _turned(link: str, path: str, uri: str) -> str:
    target = _resolved(link, path)
    there = target.removeprefix("docs/") if target.startswith("docs/") else _page(target)
    return posixpath.relpath(there, posixpath.dirname(uri) or ".")


def _outside(path: str) -> list[str]:
    """The files outside docs/ that a page of the repository links to."""
    found = []
    _outside_fences((ROOT / path).read_text(encoding="utf-8"), lambda text: found.extend(LINK.findall(text)) or text)
    targets = [_resolved(link, path) for link in found]
    for target in targets:
        if not (ROOT / target).is_file():
            raise PluginError(f"{path} links to {target}, which is not a file of the repository")
    return [target for target in targets if not target.startswith("docs/")]


def _resolved(link: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), link))


def _page(path: str) -> str:
    path = path.lstrip(".")  # MkDocs leaves out what begins with a dot
    return SHOWN + (path if path.endswith(".md") else f"{path}.md")


def _content(path: str) -> str:
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    return f"{UNSEARCHED}# {path}\n\n~~~~~{LANGUAGES.get(Path(path).suffix, 'text')}\n{text}~~~~~\n"


def _outside_fences(markdown: str, change) -> str:
    """The text with a change made everywhere but in blocks of code."""
    parts, last = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [change(markdown[last : fence.start()]), fence[0]]
        last = fence.end()
    return "".join([*parts, change(markdown[last:])])
