"""What more than one package needs: the spec, the order, the wire, the client; NumPy and gRPC only (but for `nn`)."""

VERSION = "0.1.0"
"Of the whole project."
