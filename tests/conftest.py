"""Settings that hold for every test."""

from hypothesis import settings

# Before any test module imports MindSpore.
import shared.nn  # noqa: F401

# The machines that run this are shared: a slow example is no failure.
settings.register_profile("project", deadline=None, print_blob=True)
settings.load_profile("project")
