"""The options of the page of a training: where each rank shows it and answers Prometheus, and what it links to.

Rank r listens r ports above rank 0.
"""

import argparse
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlsplit

from shared.errors import UsageError
from shared.system.listen_address import ListenAddress

METRICS_OPTION = "--metrics-listen"
_INSECURE_OPTION = f"{METRICS_OPTION}-insecure"
_SERVICE_OPTION = "--datagen-page"


@dataclass(frozen=True)
class PageOptions:
    """What was asked for; by default no page."""

    listen: ListenAddress | None = None
    "Of rank 0; port 0: every rank takes any free one."
    service_page: str = ""
    "The address of the data set service's status page, where it is known."
    ranks_here: tuple[int, ...] = (0,)
    "Whose pages are on this host."

    def of_rank(self, rank: int) -> Self:
        """As rank `rank` listens; raises `UsageError` past the last port."""
        return replace(self, listen=metrics_address_of_rank(self.listen, rank))

    def arguments(self) -> list[str]:
        """The options that say the same, for the process of a rank."""
        arguments = [] if self.listen is None else [METRICS_OPTION, str(self.listen)]
        return [*arguments, _SERVICE_OPTION, self.service_page] if self.service_page else arguments


def add_metrics_options(parser: argparse.ArgumentParser) -> None:
    """Adds --metrics-listen, the option that allows addresses which other machines can reach, and --datagen-page."""
    help_text = "show a live page and answer Prometheus there; rank r listens r ports above; port 0: any free one, " \
                "printed on stderr"  # fmt: skip
    parser.add_argument(METRICS_OPTION, metavar="HOST:PORT", help=help_text)
    parser.add_argument(_INSECURE_OPTION, action="store_true", help="also where other machines can connect")
    parser.add_argument(_SERVICE_OPTION, metavar="URL", help="the status page of the service, for a link on the live "
                        "page; default: that of the service started here")  # fmt: skip


def add_rank_page_options(parser: argparse.ArgumentParser) -> None:
    """The same for the process of a rank; the launcher has checked the values."""
    parser.add_argument(METRICS_OPTION)
    parser.add_argument(_SERVICE_OPTION, default="")


def page_options(options: argparse.Namespace) -> PageOptions:
    """What `add_metrics_options` read; raises `UsageError` for what cannot be."""
    if options.metrics_listen is None:
        for option, value in (
            (_INSECURE_OPTION, options.metrics_listen_insecure),
            (_SERVICE_OPTION, options.datagen_page),
        ):
            if value:
                raise UsageError(f"{option} is for {METRICS_OPTION}; give that too")
        return PageOptions()
    insecure = options.metrics_listen_insecure
    listen = ListenAddress.parse(
        options.metrics_listen, insecure=insecure, option=METRICS_OPTION, insecure_option=_INSECURE_OPTION
    )
    return PageOptions(listen, _checked_url(options.datagen_page or ""))


def rank_page_options(options: argparse.Namespace, rank: int) -> PageOptions:
    """What `add_rank_page_options` read, as rank `rank` listens."""
    if options.metrics_listen is None:
        return PageOptions()
    first = ListenAddress.parse(options.metrics_listen, insecure=True, option=METRICS_OPTION)
    return PageOptions(first, options.datagen_page, tuple(options.expect)).of_rank(rank)


def metrics_address_of_rank(first: ListenAddress | None, rank: int) -> ListenAddress | None:
    """`first` is rank 0's; with port 0 every rank takes any free one. Raises `UsageError` past the last port."""
    if first is None or first.port == 0:
        return first
    if first.port + rank > 65535:
        raise UsageError(f"{METRICS_OPTION} {first} leaves no port for rank {rank}, which listens {rank} above it")
    return ListenAddress(first.host, first.port + rank, METRICS_OPTION)


def _checked_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable() and " " not in text
    except ValueError:
        is_good = False
    if text and not is_good:
        raise UsageError(f"{_SERVICE_OPTION} must be an address such as http://127.0.0.1:9464, got {text!r}")
    return text
