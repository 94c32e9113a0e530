"""The commands of `python -m datagen_server`; the only module of the package that reads argv.

To add a command: a function `add_NAME` in `parsers` that adds its parser, a line below, and a module in `commands` with
`run(options)`. Only what the given command needs is imported: a health check must not wait for what serving needs.
"""

from collections.abc import Iterable, Sequence

from shared.system.command_line import CommandParser, load_module, run_command

_PARSERS = {
    "serve": "service",
    "import": "importing",
    "materialize": "shards",
    "verify": "shards",
    "preview": "samples",
    "inspect": "samples",
    "spec": "samples",
    "export": "shards",
    "health": "health",
}
"Of each command, the module of `parsers` that adds its parser; in the order of --help."


def main(argv: Sequence[str]) -> int:
    """Runs one command; returns its exit code."""
    known = [name for name in argv[:1] if name in _PARSERS]
    options = build_parser(known or _PARSERS).parse_args(argv)
    return run_command(f"datagen_server.commands.{options.command}", options)


def build_parser(names: Iterable[str] = _PARSERS) -> CommandParser:
    """The parser of these commands, by default of all."""
    parser = CommandParser(
        prog="python -m datagen_server",
        description="Serves captchas that are a function of a seed, to trainers that keep their own position in it.",
    )
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=CommandParser)
    for name in names:
        getattr(load_module(f"datagen_server.parsers.{_PARSERS[name]}"), f"add_{name}")(subcommands)
    return parser
