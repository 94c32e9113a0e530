"""Asks a service for its health by gRPC's own protocol, `grpc.health.v1`."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.channel import OPTIONS, split_target
from shared.errors import Unavailable, reason_of
from shared.wire import SERVICE

_TIMEOUT_S = 3.0


def check_health(target: str) -> None:
    """Returns when every service that `target` names is serving; raises `Unavailable` naming one that is not."""
    for part in split_target(target):
        with grpc.insecure_channel(part, options=OPTIONS) as channel:
            try:
                request = health_pb2.HealthCheckRequest(service=SERVICE)
                answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_TIMEOUT_S)
            except grpc.RpcError as error:
                raise Unavailable(f"no data set service answers at {part} ({reason_of(error)})") from error
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
            raise Unavailable(f"the data set service at {part} says {status}")
