"""What mkdocstrings asks for beside its own work: annotations as they are written.

It takes a string within an annotation for the name of a type, and `Float[Tensor, "b"]` would be shown as `Float[Tensor, b]`.
"""

import ast

from griffe import Attribute, Extension, Function


class Shapes(Extension):
    """Puts the text of the source in the place of annotations that have a string."""

    def on_function_instance(self, *, node, func: Function, **_) -> None:
        arguments = node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            func.parameters[argument.arg].annotation = _text(
                argument.annotation, func.parameters[argument.arg].annotation
            )
        func.returns = _text(node.returns, func.returns)

    def on_attribute_instance(self, *, node, attr: Attribute, **_) -> None:
        if isinstance(node, ast.AnnAssign):
            attr.annotation = _text(node.annotation, attr.annotation)


def _text(annotation: ast.expr | None, otherwise):
    text = ast.unparse(annotation) if annotation else ""
    return text.replace("'", '"') if "'" in text else otherwise
