"""The pages of a rank: `/`, the live page, and `/metrics` for Prometheus."""

from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, render_template, request
from prometheus_client import CollectorRegistry

from shared.page.web_app import exposition, single_values, web_app
from trainer.page.live_training import LiveTraining
from trainer.page.metrics_option import PageOptions

TEMPLATES = Path(__file__).parent / "templates"


def training_app(live: LiveTraining, registry: CollectorRegistry, pages: PageOptions) -> Flask:
    """The pages of the rank that trains in this process; pages: as this rank listens."""
    trainer = live.trainer

    def training() -> str:
        single_values(request.args, ())
        history = live.history()
        return render_template(
            "training.html",
            view=live.view(history),
            curves=live.curves(history),
            rank_pages=_rank_pages(pages, trainer.world.rank, urlsplit(request.host_url).hostname or ""),
        )

    app = web_app(TEMPLATES, "Captcha trainer", {"/": training, "/metrics": lambda: exposition(registry)})
    app.jinja_env.globals.update(trainer=trainer, world=trainer.world, service_page=pages.service_page)
    return app


def _rank_pages(pages: PageOptions, rank: int, host: str) -> dict[int, str]:
    """The addresses of the pages of the ranks of this host, where their ports are known."""
    if pages.listen is None or pages.listen.port == 0:
        return {}
    shown = f"[{host}]" if ":" in host else host
    return {each: f"http://{shown}:{pages.listen.port - rank + each}/" for each in pages.ranks_here}
