"""The network in MindSpore: preprocessing, features, LSTM layers, classifier, and its description.

What is listed in `__all__` is for other devices than the CPU, and imported when it is first asked for: it takes
MindSpore seconds.
"""

from typing import TYPE_CHECKING

from shared.lazy_names import lazy_names

if TYPE_CHECKING:
    from shared.recogniser.device import set_device
    from shared.recogniser.predictor import Predictor
else:
    __getattr__ = lazy_names(
        __name__, {"Predictor": "shared.recogniser.predictor", "set_device": "shared.recogniser.device"}
    )

__all__ = ["Predictor", "set_device"]
