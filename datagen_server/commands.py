"""What the commands that serve and show samples do: one function each, from parsed options to an exit code."""

import argparse
import json
import logging
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from datagen_server.options import open_source
from datagen_server.page.page_server import PageServer
from datagen_server.rendering.contact_sheet import contact_sheet
from datagen_server.service.auth import ServerSecurity
from datagen_server.service.health_check import check_health
from datagen_server.service.logs import start_logging
from datagen_server.service.server import DatasetServer, serve_until_stopped
from datagen_server.sources.sample_source import SampleSource
from shared.client import connect
from shared.dataset.spec import Dataset
from shared.errors import Unavailable, UsageError
from shared.protocol.batch import Sample
from shared.protocol.codec import Codec
from shared.protocol.messages import samples_message, samples_of
from shared.protocol.request import check_indices
from shared.security.credentials import security_of
from shared.system.listen_address import ListenAddress
from shared.system.malloc import keep_freed_blocks

_LOG = logging.getLogger(__name__)


def serve(options: argparse.Namespace) -> int:
    """Serves until told to stop: 0 after SIGTERM or the end of standard input, 130 after Ctrl-C."""
    # Only this command needs Flask, which would be a third of what a health check costs.
    from datagen_server.page.app import status_app

    start_logging(options.log_format)
    security = ServerSecurity(
        cert=options.tls_cert, key=options.tls_key, client_ca=options.tls_client_ca, token_file=options.token_file
    )
    listen = ListenAddress.parse(options.listen, insecure=options.insecure or security.is_encrypted)
    listen.check()
    metrics_listen = None
    if options.metrics_listen is not None:
        metrics_listen = ListenAddress.parse(
            options.metrics_listen, insecure=options.insecure, option="--metrics-listen"
        )
        metrics_listen.check()
    authentication = security.open()
    keep_freed_blocks()
    with open_source(options) as source:
        counts = " ".join(f"{name}={count}" for name, count in source.dataset.counts.items())
        _LOG.info("serving %s, %s, fingerprint %s", counts, source.kind, source.dataset.fingerprint)
        server, page = DatasetServer(source, listen, options.max_streams, authentication), None
        if metrics_listen is not None:
            page = PageServer(status_app(source, server.metrics, lambda: server.is_serving), metrics_listen)
        announce = partial(_announce_as_json, source) if options.json else None
        return serve_until_stopped(server, stop_with_stdin=options.stop_with_stdin, page=page, announce=announce)


def _announce_as_json(source: SampleSource, listen: ListenAddress, metrics: ListenAddress | None) -> None:
    facts = {
        "listening": str(listen),
        "metrics": metrics and str(metrics),
        "source": source.kind,
        "counts": dict(source.dataset.counts),
        "fingerprint": source.dataset.fingerprint,
    }
    print(json.dumps(facts), flush=True)


def health(options: argparse.Namespace) -> int:
    """One line; 0 when the service is serving, else 1."""
    try:
        check_health(options.target, security_of(options, options.target))
    except Unavailable as error:
        if options.json:
            print(json.dumps({"target": options.target, "serving": False, "reason": str(error)}))
        raise
    good = {"target": options.target, "serving": True, "reason": ""}
    print(json.dumps(good) if options.json else f"serving at {options.target}")
    return 0


def preview(options: argparse.Namespace) -> int:
    """Writes a contact sheet and says where it is."""
    indices = range(options.first, options.first + options.num_samples)
    _, samples = _look(options, indices)
    sheet = contact_sheet(np.stack([sample.image for sample in samples]), [sample.text for sample in samples])
    _save(sheet, options.out)
    told = {"out": str(options.out), "split": options.split, "first": options.first, "count": len(samples)}
    words = f"{options.out}: {len(samples)} samples of {options.split}, from index {options.first}"
    print(json.dumps(told) if options.json else words)
    return 0


def inspect(options: argparse.Namespace) -> int:
    """Prints what is known of one sample."""
    dataset, (sample,) = _look(options, [options.index])
    if options.out:
        _save(Image.fromarray(sample.image), options.out)
    height, width, _ = sample.image.shape
    facts = {
        "split": options.split,
        "index": sample.index,
        "text": sample.text,
        "width": width,
        "height": height,
        "sha256": sha256(sample.image.tobytes()).hexdigest(),
        "fingerprint": dataset.fingerprint,
    }
    print(json.dumps(facts) if options.json else "\n".join(f"{name:12} {value}" for name, value in facts.items()))
    return 0


def _look(options: argparse.Namespace, indices: Sequence[int]) -> tuple[Dataset, Sequence[Sample]]:
    security = security_of(options, options.datagen)
    if options.datagen:
        with connect(options.datagen, security=security) as client:
            return client.dataset, client.samples(options.split, indices)
    with open_source(options, num_workers=1) as source:
        check_indices(source.dataset, options.split, indices)
        records = source.read(options.split, np.array(indices, np.uint64), Codec.RAW).result()
        spec = source.dataset.spec
        return source.dataset, samples_of(samples_message(indices, records, spec), Codec.RAW, spec)


def _save(picture: Image.Image, path: Path) -> None:
    try:
        picture.save(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {path}: {error}") from error
