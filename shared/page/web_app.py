"""A Flask app in the style that all pages share: base template, style sheet, refresh script, headers, one-line errors.

A request that cannot be answered gets one line that says what was wrong, and the right HTTP status: on a page with the
way back where a browser asks, else as plain text.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from flask import Flask, Response, render_template, request
from flask.typing import ResponseReturnValue
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from shared import VERSION
from shared.errors import InvalidRequest, NotFound, StreamingError
from shared.page.texts import alphabet_text, duration

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LONGEST_ECHO = 40


def web_app(templates: Path, name: str, views: Mapping[str, Callable[[], ResponseReturnValue]]) -> Flask:
    """An app that answers GET for the paths of `views`; their templates are in `templates`.

    name: what the pages call the program, such as "Captcha data set service"; "/" is the first page.
    """
    app = Flask("shared.page", static_folder=STATIC, template_folder=TEMPLATES)
    app.jinja_loader = ChoiceLoader([FileSystemLoader(templates), FileSystemLoader(TEMPLATES)])
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.globals.update(program=name, version=VERSION)
    app.jinja_env.filters.update(duration=duration, alphabet=alphabet_text)
    for rule, view in views.items():
        app.add_url_rule(rule, rule, view, methods=["GET"], provide_automatic_options=False)
    known = list(views)
    paths = f"{', '.join(known[:-1])} and {known[-1]}" if known[1:] else known[0]

    def explain(error: Exception) -> ResponseReturnValue:
        """What Flask refuses: unknown paths, other methods; 500 for an error of ours, which Flask has logged."""
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for these only.
        response = _error_line(f"{error.name.lower()}; there are {paths}, to GET", error.code or 500)
        if allowed := getattr(error, "valid_methods", None):
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    app.register_error_handler(StreamingError, _refuse)
    app.register_error_handler(HTTPException, explain)
    app.after_request(_secure)
    return app


def text_line(text: str, code: int = 200) -> Response:
    """One line of plain text."""
    return Response(f"{text}\n", code, content_type="text/plain; charset=utf-8")


def exposition(registry: CollectorRegistry) -> Response:
    """The metrics in the format of Prometheus that the request asks for."""
    single_values(request.args, ())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type)


def single_values(query: MultiDict[str, str], known: Collection[str]) -> dict[str, str]:
    """The values of a query string by key; raises `InvalidRequest` for a key that is unknown or comes twice."""
    for key, values in query.lists():
        if key not in known:
            expected = f"only {', '.join(known)}" if known else "none"
            raise InvalidRequest("query", f"may have {expected} for a key, got {shown(key)}")
        if len(values) > 1:
            raise InvalidRequest(key, f"must be given once, got it {len(values)} times")
    return query.to_dict()


def shown(text: str) -> str:
    """What a request said, short and printable, for an error message."""
    return ascii(text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}...")


def _refuse(error: Exception) -> ResponseReturnValue:
    return _error_line(str(error), 400 if isinstance(error, InvalidRequest | NotFound) else 503)


def _error_line(text: str, code: int) -> Response:
    # A client that takes anything, as curl does, gets the line alone.
    if request.accept_mimetypes.best_match(["text/plain", "text/html"]) == "text/html":
        return Response(render_template("error.html", text=text), code)
    return text_line(text, code)


def _secure(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response
