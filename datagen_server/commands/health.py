"""`health`: a health check, as one line and an exit code."""

import argparse
import json

from datagen_server.service.health_check import check_health
from shared.errors import Unavailable
from shared.security.credentials import security_of


def run(options: argparse.Namespace) -> int:
    """One line; 0 when the service is serving, else 1."""
    try:
        check_health(options.target, security_of(options, options.target))
    except Unavailable as error:
        if options.json:
            print(json.dumps({"target": options.target, "serving": False, "reason": str(error)}))
        raise
    good = {"target": options.target, "serving": True, "reason": ""}
    print(json.dumps(good) if options.json else f"serving at {options.target}")
    return 0
