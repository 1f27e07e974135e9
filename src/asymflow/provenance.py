"""What a result was made with: a digest of the code that ran, the versions of the libraries, and the commit.

`digest("asymflow.stages.table")` covers the syntax trees of that module and of everything that it imports from this package,
comments and docstrings removed. Rules carry it as a parameter, so editing a comment reruns nothing, and editing a formula
reruns every stage that imports it and no other. Modules that a run loads by name (`asymflow.parts`) are given beside its stage.

Of a section of the configuration only its methods count, not its fields: their values travel in the parameters of the rule,
and a new option is not an edit of what existed.

Its limits: imports must be absolute and written as statements (a relative one is refused); installed packages are not part
of it, and neither is Python (their versions are recorded beside each result instead).
"""

import ast
import hashlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = "asymflow"
SOURCE = Path(__file__).parent.parent  # the folder that holds the package
CONFIGURATION = f"{PACKAGE}.config."  # the modules of its sections
LIBRARIES = ("torch", "torchvision", "numpy", "webdataset", "open-clip-torch", "snakemake")


def digest(*modules: str, without: Iterable[str] = ()) -> str:
    """Twelve hexadecimal digits that change when code that the modules run changes, and only then.

    `without` names modules that they import but that decide nothing.
    """
    hasher = hashlib.sha256()
    for name in sorted(closure(*modules, without=without)):
        if tree := _tree(name):
            hasher.update(f"{name}\n{tree}\n".encode())
    return hasher.hexdigest()[:12]


def closure(*modules: str, without: Iterable[str] = ()) -> set[str]:
    """The modules and all of this package that they import, directly or through others, packages included.

    The file of the whole package is left out: it gives the library its names from outside, and no stage has anything from it.
    """
    reached, waiting, left_out = set(), list(modules), {PACKAGE, *without}
    while waiting:
        name = waiting.pop()
        if name not in reached and name not in left_out:
            reached.add(name)
            parents = [name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)]
            waiting += parents + imports(name)
    return reached


@cache
def imports(module: str) -> list[str]:
    """The modules of this package that `module` imports itself. Raises on a relative import."""
    names = []
    for node in ast.walk(ast.parse(_path(module).read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(
                    f"{_path(module)}, line {node.lineno}: relative import; write it as 'from {PACKAGE}. ...'"
                )
            # `from package import module` names a module, `from module import thing` does not: the path decides
            names += [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
    return [name for name in names if name.split(".")[0] == PACKAGE and _path(name).exists()]


def _path(module: str) -> Path:
    path = SOURCE / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _tree(module: str) -> str:
    tree = ast.parse(_path(module).read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # docstrings, and the strings under the fields of a configuration section
            node.body = [statement for statement in node.body if not _is_text(statement)]
    if module.startswith(CONFIGURATION):
        tree.body = [_without_fields(s) for s in tree.body if not isinstance(s, ast.Import | ast.ImportFrom)]
        tree.body = [s for s in tree.body if not isinstance(s, ast.ClassDef) or s.body]
    return _canonical(tree) if tree.body else ""


def _canonical(part: object) -> str:
    """A syntax tree as text that is the same on every version of Python.

    `ast.dump` is not: versions differ in the fields that they know (type parameters) and in whether they print empty ones. So
    what is empty is left out, and text is written in ASCII, as versions differ in what they hold to be printable.
    """
    if isinstance(part, ast.JoinedStr):  # Python 3.12 puts empty pieces into some
        part = ast.JoinedStr([v for v in part.values if not (isinstance(v, ast.Constant) and v.value == "")])
    if isinstance(part, ast.AST):
        held = ((name, getattr(part, name, None)) for name in part._fields)
        inside = ", ".join(f"{name}={_canonical(value)}" for name, value in held if value is not None and value != [])
        return f"{type(part).__name__}({inside})"
    if isinstance(part, list):
        return f"[{', '.join(map(_canonical, part))}]"
    return ascii(part)


def _without_fields(statement: ast.stmt) -> ast.stmt:
    """A section without its fields and their checks: of values that passed nothing is left to say."""
    if isinstance(statement, ast.ClassDef) and "NamedTuple" not in map(ast.unparse, statement.bases):
        statement.body = [s for s in statement.body if not isinstance(s, ast.AnnAssign) and not _is_check(s)]
    return statement


def _is_check(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.FunctionDef) and any(
        ast.unparse(decorator).startswith("model_validator(") for decorator in statement.decorator_list
    )


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def record(*modules: str, without: Iterable[str] = ()) -> dict[str, str]:
    """What to write beside a result of the modules: code digest, commit, Python and libraries."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {
        "code": digest(*modules, without=without),
        "commit": _commit(),
        "python": platform.python_version(),
        **versions,
    }


def _commit() -> str:
    """The checked-out commit, with `+` when files differ from it; `unknown` outside a checkout."""
    git = ["git", "-C", str(SOURCE), "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
