"""`serve`: the service, until it is stopped."""

import argparse
import json
import logging
from functools import partial

from datagen_server import page
from datagen_server.commands.open_source import open_source
from datagen_server.page.recent_faults import RecentFaults
from datagen_server.service.auth import ServerSecurity
from datagen_server.service.memory_budget import check_memory
from datagen_server.service.monitoring.logs import start_logging
from datagen_server.service.server import DatasetServer, serve_until_stopped
from datagen_server.sources.sample_source import SampleSource
from shared.page.page_server import PageServer
from shared.system.listen_address import ListenAddress
from shared.system.malloc import keep_freed_blocks, use_one_heap

_LOG = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> int:
    """Serves until it is stopped: 0 after SIGTERM or the end of standard input, 130 after Ctrl-C."""
    start_logging(options.log_format)
    security = ServerSecurity(
        cert=options.tls_cert, key=options.tls_key, client_ca=options.tls_client_ca, token_file=options.token_file
    )
    listen = ListenAddress.parse(options.listen, insecure=options.insecure or security.is_encrypted)
    listen.check()
    metrics_listen = _metrics_listen(options)
    if options.memory is not None:
        check_memory(options.memory)
    authentication = security.open()
    use_one_heap()
    keep_freed_blocks()
    with RecentFaults() as faults, open_source(options) as source:
        counts = " ".join(f"{name}={count}" for name, count in source.dataset.counts.items())
        _LOG.info("serving %s, %s, fingerprint %s", counts, source.kind, source.dataset.fingerprint)
        server = DatasetServer(source, listen, options.max_streams, authentication, options.memory)
        page_server = None
        if metrics_listen is not None:
            # Only now is Flask imported.
            app = page.status_app(source, server.metrics, lambda: server.is_serving, faults)
            page_server = PageServer(app, metrics_listen)
        announce = partial(_announce_as_json, source) if options.json else None
        return serve_until_stopped(server, stop_with_stdin=options.stop_with_stdin, page=page_server, announce=announce)


def _metrics_listen(options: argparse.Namespace) -> ListenAddress | None:
    if options.metrics_listen is None:
        return None
    listen = ListenAddress.parse(options.metrics_listen, insecure=options.insecure, option="--metrics-listen")
    listen.check()
    return listen


def _announce_as_json(source: SampleSource, listen: ListenAddress, metrics: ListenAddress | None) -> None:
    facts = {
        "listening": str(listen),
        "metrics": metrics and str(metrics),
        "source": source.kind,
        "counts": dict(source.dataset.counts),
        "fingerprint": source.dataset.fingerprint,
    }
    print(json.dumps(facts), flush=True)
