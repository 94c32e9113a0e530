"""The option --metrics-listen: where each rank answers Prometheus. Rank r listens r ports above rank 0."""

import argparse

from shared.errors import UsageError
from shared.system.listen_address import ListenAddress

METRICS_OPTION = "--metrics-listen"
_INSECURE_OPTION = f"{METRICS_OPTION}-insecure"


def add_metrics_options(parser: argparse.ArgumentParser) -> None:
    """Adds --metrics-listen, and the option that allows addresses which other machines can reach."""
    help_text = "answer Prometheus there; rank r listens r ports above; port 0: any free one, printed on stderr"
    parser.add_argument(METRICS_OPTION, metavar="HOST:PORT", help=help_text)
    parser.add_argument(_INSECURE_OPTION, action="store_true", help="also where other machines can connect")


def metrics_address(options: argparse.Namespace) -> ListenAddress | None:
    """The address of rank 0; None when no metrics are asked for."""
    if options.metrics_listen is None:
        if options.metrics_listen_insecure:
            raise UsageError(f"{_INSECURE_OPTION} is for {METRICS_OPTION}; give that too")
        return None
    insecure = options.metrics_listen_insecure
    return ListenAddress.parse(
        options.metrics_listen, insecure=insecure, option=METRICS_OPTION, insecure_option=_INSECURE_OPTION
    )


def metrics_address_of_rank(first: ListenAddress | None, rank: int) -> ListenAddress | None:
    """`first` is rank 0's; with port 0 every rank takes any free one. Raises `UsageError` past the last port."""
    if first is None or first.port == 0:
        return first
    if first.port + rank > 65535:
        raise UsageError(f"{METRICS_OPTION} {first} leaves no port for rank {rank}, which listens {rank} above it")
    return ListenAddress(first.host, first.port + rank, METRICS_OPTION)
