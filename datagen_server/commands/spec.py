"""`spec`: the description of a data set, checked."""

import argparse
import json

from datagen_server.commands.open_source import drawable_spec_of, open_stored
from datagen_server.rendering.fingerprint import fingerprint
from shared.client import connect
from shared.dataset.spec import DatasetSpec
from shared.dataset.spec_file import dump_spec
from shared.dataset.spec_options import check_no_spec_options
from shared.errors import UsageError
from shared.security.credentials import security_of


def run(options: argparse.Namespace) -> int:
    """Prints the spec in force as YAML, or as JSON with its digest and fingerprint."""
    spec, own_fingerprint = _spec(options)
    if options.json:
        print(json.dumps({"spec": spec.to_mapping(), "digest": spec.digest(), "fingerprint": own_fingerprint}))
    else:
        print(f"# digest {spec.digest()}\n# fingerprint {own_fingerprint}\n{dump_spec(spec)}", end="")
    return 0


def _spec(options: argparse.Namespace) -> tuple[DatasetSpec, str]:
    """The spec and its fingerprint: from a service, from stored samples, or from the options."""
    security = security_of(options, options.datagen)
    if options.datagen:
        check_no_spec_options(options, "--datagen")
        with connect(options.datagen, security=security) as client:
            return client.dataset.spec, client.dataset.fingerprint
    if options.shards:
        check_no_spec_options(options, "--shards")
        source = open_stored(options.shards)
        source.close()
        return source.dataset.spec, source.dataset.fingerprint
    if options.file and options.spec:
        raise UsageError(f"FILE is the same as --spec; give only one of {options.file} and {options.spec}")
    options.spec = options.file or options.spec
    render_spec = drawable_spec_of(options)
    return render_spec.spec, fingerprint(render_spec.spec, render_spec.font_files)
