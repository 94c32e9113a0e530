"""The network as an ONNX file, for onnxruntime and others: written by the export, read by `predict`."""
