import shared.nn as _before_mindspore  # noqa: F401
