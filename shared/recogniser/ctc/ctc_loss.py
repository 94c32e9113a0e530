"""CTC loss (Graves et al., ICML 2006) over raw logits, as the trainer minimises it and the evaluator reports it."""

import mindspore as ms
from mindspore import nn, ops


class CtcLoss(nn.Cell):
    """logits [frames, n, classes], labels int32 [n, max_length] -> float32 [n], one loss per sample.

    The blank is the last class. Labels are padded with it: the operator stops each label at its first blank.
    """

    def __init__(self, num_frames: int, batch_size: int, max_length: int) -> None:
        super().__init__()
        places = [(row, column) for row in range(batch_size) for column in range(max_length)]
        self.places = ms.Tensor(places, ms.int64)
        self.lengths = ms.Tensor([num_frames] * batch_size, ms.int32)
        self.ctc = ops.CTCLoss()

    def construct(self, logits: ms.Tensor, labels: ms.Tensor) -> ms.Tensor:
        """See the class."""
        loss, _ = self.ctc(ops.cast(logits, ms.float32), self.places, labels.reshape(-1), self.lengths)
        return loss
