"""The figures that alerts compare: the limit of streams, whether the service serves, when its certificate expires."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge


def add_alert_metrics(
    registry: CollectorRegistry,
    max_streams: int,
    is_serving: Callable[[], bool],
    certificate_expiry_s: Callable[[], float] | None,
) -> None:
    """Adds the gauges to `registry`.

    certificate_expiry_s: seconds since 1970 at which the TLS certificate in use expires; None: plain text.
    """

    def gauge(name: str, help_text: str) -> Gauge:
        return Gauge(f"captcha_{name}", help_text, registry=registry)

    gauge("streams_limit", "Streams that may be open at a time.").set(max_streams)
    gauge("serving", "1 while the service takes requests, 0 while it drains.").set_function(lambda: float(is_serving()))
    if certificate_expiry_s is not None:
        help_text = "When the TLS certificate expires, in seconds since 1970."
        gauge("certificate_expiry_timestamp_seconds", help_text).set_function(certificate_expiry_s)
