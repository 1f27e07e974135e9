"""How many lines of code a target, or a network with a way around, takes: blank lines, comments and docstrings are not counted.

Of its configuration and its model all; of `flow/` the functions that the model imports, and what these use of their own module.
"""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src/asymflow"
TARGETS = ("asymmetric", "isotropic", "spectral", "opening", "preconditioned", "forced")  # one module each
NETWORKS = ("uvit", "decoupled", "gained")  # that carry the noise around
SHARED = ("path",)  # of flow/: what every target stands on


def of_target(kind: str) -> dict[str, int]:
    """Lines by where they are: config/, flow/, models/."""
    model = SOURCE / f"models/targets/{kind}.py"
    sources = [model, SOURCE / "models/velocity.py"] if kind == "asymmetric" else [model]
    used = [imported for path in sources for imported in _imported(path)]
    return {
        "config": count(SOURCE / f"config/targets/{kind}.py"),
        "flow": sum(_functions(module, names) for module, names in used if module not in SHARED),
        "models": count(model),
    }


def of_network(kind: str) -> dict[str, int]:
    """Lines by where they are: config/, models/."""
    return {folder: count(SOURCE / folder / f"{kind}.py") for folder in ("config", "models")}


def count(path: Path) -> int:
    """Lines of a module."""
    return len(_lines(ast.parse(path.read_text(encoding="utf-8"))))


def _lines(*nodes: ast.AST) -> set[int]:
    """Lines that hold code: those on which a statement or an expression begins or ends, without strings that stand alone."""
    texts, found = set(), set()
    for node in (child for top in nodes for child in ast.walk(top)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            texts |= set(range(node.lineno, node.end_lineno + 1))
        elif hasattr(node, "lineno"):
            found |= {node.lineno, node.end_lineno}
    return found - texts


def _imported(path: Path) -> list[tuple[str, list[str]]]:
    """What a module takes of flow/: (module, names)."""
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    return [
        (node.module.rpartition(".")[2], [alias.name for alias in node.names])
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("asymflow.flow.")
    ]


def _functions(module: str, names: list[str]) -> int:
    """Lines of these functions of a module of flow/ and of all in it that they use."""
    body = ast.parse((SOURCE / f"flow/{module}.py").read_text(encoding="utf-8")).body
    defined = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
    defined |= {
        name.id: node
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }
    wanted, used = list(names), {}
    while wanted:
        name = wanted.pop()
        if name in defined and name not in used:
            used[name] = defined[name]
            wanted += [node.id for node in ast.walk(defined[name]) if isinstance(node, ast.Name)]
    return len(_lines(*used.values()))
