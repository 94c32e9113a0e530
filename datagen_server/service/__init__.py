"""The gRPC service: server, servicer, request validation, authentication, metrics, logs."""
