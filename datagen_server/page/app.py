"""The pages: `/`, `/samples`, `/metrics`, `/healthz`, rendered on the server, with a few lines of script of our own."""

import random
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from flask import Flask, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from datagen_server.page import status_rows
from datagen_server.page.label_search import LabelSearch
from datagen_server.page.query_string import PAGE_SIZE, SamplesQuery
from datagen_server.page.recent_faults import RecentFaults
from datagen_server.page.sample_browser import SampleReader
from datagen_server.service.monitoring.stream_metrics import ServiceMetrics
from datagen_server.sources.sample_source import SampleSource
from shared.page.texts import duration
from shared.page.web_app import exposition, single_values, text_line, web_app


def status_app(
    source: SampleSource,
    metrics: ServiceMetrics,
    is_serving: Callable[[], bool],
    faults: RecentFaults | None = None,
) -> Flask:
    """The pages of a server over `source`; faults: what the status page lists as such."""
    faults, started = faults or RecentFaults(), monotonic()
    reader, search = SampleReader(source), LabelSearch(source)

    def index() -> str:
        single_values(request.args, ())
        return render_template(
            "status.html",
            is_serving=is_serving(),
            up=duration(monotonic() - started),
            streams=status_rows.stream_rows(metrics),
            totals=status_rows.total_rows(metrics),
            finished=status_rows.finished_rows(metrics),
            faults=faults.newest_first(),
            damaged=status_rows.damaged_shards(metrics),
            missing=sorted(metrics.damage.missing),
        )

    def samples() -> ResponseReturnValue:
        query = SamplesQuery.parse(request.args, source.dataset)
        if query.is_random:
            return redirect(query.address(random.randrange(query.num_samples), label=query.label))
        found = search.find(query) if query.label else None
        shown = reader.read(query.split, query.indices if found is None else found.indices)
        return render_template("samples.html", query=query, found=found, samples=shown, page_size=PAGE_SIZE)

    def healthz() -> Response:
        single_values(request.args, ())
        return text_line("serving") if is_serving() else text_line("draining", 503)

    views = {"/": index, "/samples": samples, "/metrics": lambda: exposition(metrics.registry), "/healthz": healthz}
    app = web_app(Path(__file__).parent / "templates", "Captcha data set service", views)
    app.jinja_env.globals.update(dataset=source.dataset, kind=source.kind, is_rendered=source.is_rendered)
    return app
