"""The services that gRPC itself defines: health, and reflection, from which tools learn the contract.

Note: grpcio knows reflection as v1alpha only. Its messages are those of v1, byte for byte, so one handler
answers to both names, and tools that know only one of them work.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from datagen_server.service.call_threads import run_in
from shared.protocol.contract import SERVICE

_REFLECTION_NAMES = "grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME
_REFLECTION_THREADS = 4


def health_handler(servicer: health.HealthServicer, quick: ThreadPoolExecutor) -> "grpc.GenericRpcHandler[Any, Any]":
    """quick: threads that nothing keeps busy, so that a probe is answered whatever the load."""
    check, told = health_pb2.HealthCheckRequest.FromString, health_pb2.HealthCheckResponse.SerializeToString
    methods = {
        "Check": grpc.unary_unary_rpc_method_handler(run_in(quick, servicer.Check), check, told),
        "Watch": grpc.unary_stream_rpc_method_handler(servicer.Watch, check, told),
    }
    return grpc.method_handlers_generic_handler(health.SERVICE_NAME, methods)


def reflection_handlers() -> list["grpc.GenericRpcHandler[Any, Any]"]:
    """A client may keep its call open: it then holds one of these threads, and no stream waits for it."""
    servicer = reflection.ReflectionServicer([SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME])
    info = grpc.stream_stream_rpc_method_handler(
        run_in(ThreadPoolExecutor(_REFLECTION_THREADS, "reflection"), servicer.ServerReflectionInfo),
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": info}) for name in _REFLECTION_NAMES]
