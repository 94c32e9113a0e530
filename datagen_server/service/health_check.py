"""A health check by gRPC's own protocol, `grpc.health.v1`."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shared.client.channel import open_channel, split_target
from shared.errors import Unavailable
from shared.protocol.contract import SERVICE
from shared.rpc_errors import reason_of
from shared.security.channel_credentials import Credentials
from shared.security.credentials import PLAIN, Security

_TIMEOUT_S = 3.0


def check_health(target: str, security: Security = PLAIN) -> None:
    """Returns when every service that `target` names is serving; raises `Unavailable` naming one that is not.

    A token is not sent: health needs none.
    """
    credentials = Credentials(security).of_channel()
    for part in split_target(target):
        with open_channel(part, credentials) as channel:
            try:
                request = health_pb2.HealthCheckRequest(service=SERVICE)
                answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_TIMEOUT_S)
            except grpc.RpcError as error:
                reason = reason_of(error)
                problem = f"no data set service answers at {part} ({reason}){security.tls_hint(reason)}"
                raise Unavailable(problem) from error
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
            raise Unavailable(f"the data set service at {part} says {status}")
