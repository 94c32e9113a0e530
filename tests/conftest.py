"""Settings that hold for every test, and what any of them may ask for."""

import signal

from hypothesis import settings

# Before any test module imports MindSpore.
import shared.recogniser  # noqa: F401
from tests.support.browser import chromium  # noqa: F401
from tests.support.outcomes import outcome  # noqa: F401

# The machines that run this are shared: a slow example is no failure.
settings.register_profile("project", deadline=None, print_blob=True)
settings.load_profile("project")

# A shell lets what it starts in the background ignore Ctrl-C, and so would every command under test.
signal.signal(signal.SIGINT, signal.default_int_handler)
