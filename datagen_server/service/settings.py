"""The defaults and limits of a service, apart from the server itself, so that a parser can import them quickly."""

DEFAULT_LISTEN = "127.0.0.1:50051"
DEFAULT_MAX_STREAMS = 128
"Open streams, by default. Each holds a thread while it is open."
MAX_STREAMS_LIMIT = 4096
"The most that `--max-streams` accepts."
LOG_FORMATS = ("text", "json")
