"""The commands of `python -m datagen_server`; the only module of the package that reads argv.

To add a command: a function in `parsers` that adds its parser, and a module in `commands` with `run(options)`.
"""

from collections.abc import Sequence
from importlib import import_module

from datagen_server.parsers.importing import add_import
from datagen_server.parsers.samples import add_inspect, add_preview, add_spec
from datagen_server.parsers.service import add_health, add_serve
from datagen_server.parsers.shards import add_export, add_materialize, add_verify
from shared.system.command_line import CommandParser


def main(argv: Sequence[str]) -> int:
    """Runs one command; returns its exit code."""
    options = build_parser().parse_args(argv)
    # Only the module of this command: a health check must not wait for what serving needs.
    command = import_module(f"datagen_server.commands.{options.command}")
    return int(command.run(options))


def build_parser() -> CommandParser:
    """The parser of all commands."""
    parser = CommandParser(
        prog="python -m datagen_server",
        description="Serves captchas that are a function of a seed, to trainers that keep their own position in it.",
    )
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=CommandParser)
    for add in (
        add_serve,
        add_import,
        add_materialize,
        add_verify,
        add_preview,
        add_inspect,
        add_spec,
        add_export,
        add_health,
    ):
        add(subcommands)
    return parser
