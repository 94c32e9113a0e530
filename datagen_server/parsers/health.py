"""`health`."""

from datagen_server.parsers.common import Subcommands, add_json_option
from datagen_server.service.settings import DEFAULT_LISTEN
from shared.security.credentials import add_security_options


def add_health(subcommands: Subcommands) -> None:
    """Adds `health`."""
    parser = subcommands.add_parser(
        "health",
        help="check whether a service answers and is serving",
        epilog="""examples:
  python -m datagen_server health
  python -m datagen_server health --target datagen:50051 && echo good
  python -m datagen_server health --target datagen:50051 --tls-ca ca.pem""",
    )
    parser.add_argument("--target", default=DEFAULT_LISTEN, help="HOST:PORT; default %(default)s")
    add_security_options(parser)
    add_json_option(parser)
    parser.set_defaults(command="health")
