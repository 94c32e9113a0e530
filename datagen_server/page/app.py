"""The pages: `/`, `/samples`, `/metrics`, `/healthz`, rendered on the server, with a few lines of script of our own.

A request that cannot be answered gets one line of plain text that says what was wrong, and the right HTTP status.
"""

import logging
from collections.abc import Callable
from time import monotonic

from flask import Flask, Response, render_template, request
from flask.typing import ResponseReturnValue
from prometheus_client.exposition import choose_encoder
from werkzeug.exceptions import HTTPException

from datagen_server.page import status_rows
from datagen_server.page.query_string import PAGE_SIZE, SamplesQuery, single_values
from datagen_server.page.sample_browser import SampleReader
from datagen_server.service.stream_metrics import ServiceMetrics
from datagen_server.sources.sample_source import SampleSource
from shared import VERSION
from shared.errors import InvalidRequest, NotFound, StreamingError

_LOG = logging.getLogger(__name__)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def status_app(source: SampleSource, metrics: ServiceMetrics, is_serving: Callable[[], bool]) -> Flask:
    """The pages of a server over `source`."""
    app = Flask(__name__)
    app.jinja_env.globals.update(
        version=VERSION, dataset=source.dataset, kind=source.kind, is_rendered=source.is_rendered
    )
    reader, started = SampleReader(source), monotonic()

    def index() -> str:
        single_values(request.args, ())
        return render_template(
            "status.html",
            is_serving=is_serving(),
            up=status_rows.duration(monotonic() - started),
            streams=status_rows.stream_rows(metrics),
            damaged=status_rows.damaged_shards(metrics),
            missing=sorted(metrics.damage.missing),
        )

    def samples() -> str:
        query = SamplesQuery.parse(request.args, source.dataset)
        return render_template("samples.html", query=query, samples=reader.read(query), page_size=PAGE_SIZE)

    def exposition() -> Response:
        single_values(request.args, ())
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(metrics.registry), content_type=content_type)

    def healthz() -> Response:
        single_values(request.args, ())
        return _line("serving", 200) if is_serving() else _line("draining", 503)

    for rule, view in (("/", index), ("/samples", samples), ("/metrics", exposition), ("/healthz", healthz)):
        app.add_url_rule(rule, view_func=view, methods=["GET"], provide_automatic_options=False)
    app.register_error_handler(StreamingError, _refuse)
    app.register_error_handler(HTTPException, _explain)
    app.after_request(_secure)
    return app


def _refuse(error: Exception) -> ResponseReturnValue:
    return _line(str(error), 400 if isinstance(error, InvalidRequest | NotFound) else 503)


def _explain(error: Exception) -> ResponseReturnValue:
    """What Flask refuses: unknown paths and other methods; and 500 for an error of ours, which Flask has logged."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these only.
    response = _line(f"{error.name.lower()}; there are /, /samples, /metrics and /healthz, to GET", error.code or 500)
    if allowed := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _line(text: str, code: int) -> Response:
    return Response(f"{text}\n", code, content_type="text/plain; charset=utf-8")


def _secure(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response
