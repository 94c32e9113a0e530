"""What is slow to import is put off by its name, with `run_command` and `load_module` or with `lazy_names`.

An import statement stands in a function only to put off MindSpore in the entry of a command: the `run` of a module that
`run_command` is given, or the `main` of a module that `python -m` runs. In tests none does: there, what is slow has a
module of its own that `python -m` runs.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("datagen_server", "evaluator", "shared", "trainer")
SLOW = {"flask", "grpc", "matplotlib", "mindspore", "numba", "numpy", "onnx", "onnxruntime", "pydantic", "rich"}
TREES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(file.read_text())
    for package in PACKAGES
    for file in sorted((ROOT / package).rglob("*.py"))
}


def calls(module: str) -> Iterator[tuple[str, ast.Call]]:
    """(function, call) of each call in a module; of what is given to `partial`, too, without its own arguments."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "partial":
                node = ast.Call(node.args[0], node.args[1:], node.keywords)
            yield ast.unparse(node.func), node


def loaded() -> Iterator[tuple[str, str, bool]]:
    """(module, module that it imports by its name, whether it is run as a command); the service's are tested apart."""
    for module in TREES:
        for function, call in calls(module):
            if function in ("run_command", "load_module") and isinstance(call.args[0], ast.Constant):
                yield module, ast.literal_eval(call.args[0]), function == "run_command"


LOADED = list(loaded())
LAZY: dict[str, dict[str, str]] = {
    package: ast.literal_eval(call.args[1])
    for package in TREES
    for function, call in calls(package)
    if function == "lazy_names"
}
ENTRIES = {f"{name}.run" for _, name, is_command in LOADED if is_command} | {
    f"{module}.main" for module, tree in TREES.items() if "\nif __name__ == '__main__':" in ast.unparse(tree)
}


def named(node: ast.stmt) -> Iterator[str]:
    """Modules that an import statement names; for `from a import b` both a and a.b, or where b lazily comes from."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        lazy = LAZY.get(node.module, {})
        yield from (lazy.get(alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def on_import(body: list[ast.stmt]) -> Iterator[str]:
    """Modules that are imported when a module is, those under TYPE_CHECKING or in functions left out."""
    for node in body:
        yield from named(node)
        if isinstance(node, ast.Try):
            yield from on_import(node.body)


@cache
def direct(module: str) -> frozenset[str]:
    """What one of our modules imports; its packages' `__init__` are imported before it."""
    if module not in TREES:
        return frozenset()
    parents = {module.rsplit(".", number)[0] for number in range(1, module.count(".") + 1)}
    return frozenset({*on_import(TREES[module].body), *parents})


def slow_libraries(*modules: str) -> set[str]:
    """Which of the slow libraries come with these modules."""
    seen, waiting = set[str](), [*modules]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += direct(name)
    return {name.partition(".")[0] for name in seen} & SLOW


def defined(module: str) -> set[str]:
    """The functions, classes and constants of a module; none where there is no such module."""
    body = TREES[module].body if module in TREES else []
    constants = {ast.unparse(target) for node in body if isinstance(node, ast.Assign) for target in node.targets}
    return constants | {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def in_functions(trees: Mapping[str, ast.Module]) -> Iterator[tuple[str, str, ast.stmt]]:
    """(module, function, import statement in it); a function within another block is named as no entry is."""
    for module, tree in trees.items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                place = module if function in tree.body else f"{module}..."
                for node in ast.walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        yield module, f"{place}.{function.name}", node


def test_an_import_in_a_function_puts_off_mindspore_in_the_entry_of_a_command() -> None:
    for module, function, node in in_functions(TREES):
        where = f"{function}, line {node.lineno}: {ast.unparse(node)}"
        assert function in ENTRIES, where
        assert "mindspore" in slow_libraries(*named(node)) - slow_libraries(module), where


def test_no_import_stands_in_a_function_of_the_tests() -> None:
    files = sorted((ROOT / "tests").rglob("*.py"))
    trees = {
        str(file.relative_to(ROOT)): ast.parse(file.read_text()) for file in files if "node_modules" not in file.parts
    }
    assert len(trees) > 300
    assert [f"{where}: {function}: {ast.unparse(node)}" for where, function, node in in_functions(trees)] == []


def test_two_modules_import_by_name_for_all_others_but_dask_which_is_optional() -> None:
    found = [module for module, tree in TREES.items() if "import_module" in ast.unparse(tree)]
    assert found == ["datagen_server.workers.executors", "shared.lazy_names", "shared.system.command_line"]


@pytest.mark.parametrize(("module", "put_off", "is_command"), LOADED)
def test_what_is_loaded_is_there_and_slow_to_import(module: str, put_off: str, is_command: bool) -> None:
    assert not is_command or "run" in defined(put_off)
    assert slow_libraries(put_off) - slow_libraries(module)


@pytest.mark.parametrize("package", LAZY)
def test_lazy_names_are_there_as_type_checkers_see_them_and_slow_to_import(package: str) -> None:
    modules = LAZY[package]
    (checked,) = (node.body for node in TREES[package].body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in checked if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == modules
    assert [name for name, module in modules.items() if name not in defined(module)] == []
    assert slow_libraries(*modules.values()) - slow_libraries(package)


def test_what_comes_with_a_module_is_found() -> None:
    assert {"mindspore", "numpy"} <= slow_libraries("shared.recogniser.checkpoint")
    assert "numpy" in slow_libraries("shared.recogniser.dataset_adapter")
    assert not slow_libraries("trainer.cli")
    assert len(list(in_functions(TREES))) > 3
    assert len(LOADED) > 7
    assert len(LAZY) > 5
