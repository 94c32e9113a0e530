import shared.recogniser as _before_mindspore  # noqa: F401
