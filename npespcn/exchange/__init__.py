"""Networks in files: .npz, safetensors, ONNX."""
