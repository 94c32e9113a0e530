"""Threads of its own for a method, so that it waits for no other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run_in(pool: ThreadPoolExecutor, behaviour: Callable[..., Any]) -> Callable[..., Any]:
    """The behaviour of a method, to be called in the threads of `pool` instead of the server's."""

    def run(*arguments: Any) -> Any:
        return behaviour(*arguments)

    run.experimental_thread_pool = pool  # type: ignore[attr-defined]
    return run


def keep_threads(behaviour: Callable[..., Any], wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """`wrapped`, to be called in the threads that `behaviour` would be called in."""
    wrapped.experimental_thread_pool = getattr(behaviour, "experimental_thread_pool", None)  # type: ignore[attr-defined]
    return wrapped
