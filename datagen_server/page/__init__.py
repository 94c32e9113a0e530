"""What people and Prometheus see of a running service: a status page, a browser of samples, health, metrics.

`status_app` is imported when it is first asked for: without a page a service starts sooner, and needs no Flask.
"""

from typing import TYPE_CHECKING

from shared.lazy_names import lazy_names

if TYPE_CHECKING:
    from datagen_server.page.app import status_app
else:
    __getattr__ = lazy_names(__name__, {"status_app": "datagen_server.page.app"})

__all__ = ["status_app"]
