"""An import inside a function puts off a library that is slow to import; it never breaks a circle."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("datagen_server", "evaluator", "shared", "trainer")
SLOW = {"flask", "matplotlib", "mindspore", "numba", "numpy", "onnx", "onnxruntime", "pydantic", "rich"}


def file_of(module: str) -> Path | None:
    """The file of one of our modules; None for what is not ours, such as a class in a module."""
    path = ROOT / module.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def named(node: ast.stmt) -> Iterator[str]:
    """Modules that an import statement names; for `from a import b` both a and a.b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def on_import(body: list[ast.stmt]) -> Iterator[str]:
    """Modules that are imported when a module is, those under TYPE_CHECKING or in functions left out."""
    for node in body:
        yield from named(node)
        if isinstance(node, ast.Try):
            yield from on_import(node.body)


@cache
def direct(module: str) -> frozenset[str]:
    """What one of our modules imports; its packages' `__init__` are imported before it."""
    file = file_of(module)
    if file is None:
        return frozenset()
    parents = {module.rsplit(".", number)[0] for number in range(1, module.count(".") + 1)}
    return frozenset({*on_import(ast.parse(file.read_text()).body), *parents})


def slow_libraries(module: str) -> set[str]:
    """Which of the slow libraries come with a module."""
    seen, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += direct(name)
    return {name.partition(".")[0] for name in seen} & SLOW


def deferred() -> Iterator[tuple[str, str, int]]:
    """(module, module that it imports in a function, line)."""
    for file in sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import):
                        yield from ((module, alias.name, node.lineno) for alias in node.names)
                    elif isinstance(node, ast.ImportFrom) and node.module:
                        yield module, node.module, node.lineno


@pytest.mark.parametrize(("module", "put_off", "line"), list(deferred()))
def test_what_is_put_off_is_slow_and_not_there_already(module: str, put_off: str, line: int) -> None:
    assert slow_libraries(put_off) - slow_libraries(module), f"{module}, line {line}: import {put_off} above"


def test_what_comes_with_a_module_is_found() -> None:
    assert {"mindspore", "numpy"} <= slow_libraries("shared.recogniser.checkpoint")
    assert not slow_libraries("trainer.cli")
    assert len(list(deferred())) > 10
