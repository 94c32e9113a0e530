"""What both sides agree on beside the messages. Apart from them, so that a health check does not import NumPy."""

from shared.pb.captcha.v1 import dataset_pb2 as pb

MAX_MESSAGE_BYTES = 96 << 20
"The largest message a client must accept: 64 MiB of pixels that compress badly, and everything else."
SERVICE: str = pb.DESCRIPTOR.services_by_name["DatasetService"].full_name
REQUEST_ID_KEY = "x-request-id"
"The metadata key with which a caller names its request, so that the logs of both sides can be compared."
