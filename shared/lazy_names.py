"""Names of a package that are imported when they are first asked for, by PEP 562.

So a package can offer what is slow to import, and those who do not use it do not wait for it:

    if TYPE_CHECKING:
        from trainer.page.prometheus_exporter import exported_metrics
    else:
        __getattr__ = lazy_names(__name__, {"exported_metrics": "trainer.page.prometheus_exporter"})

    __all__ = ["exported_metrics"]

Type checkers see the import, and everybody else the map; `tests/test_deferred_imports.py` holds them together. Note:
`from trainer.page import exported_metrics` asks for the name. To put it off, import the package and use
`page.exported_metrics` where it is needed.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package; modules: of each name, the module that has it.

    Asking for a name raises what the import of its module raises, and `AttributeError` for one that is not listed.
    """

    def imported(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)  # The next time it is simply there.
        return value

    return imported
