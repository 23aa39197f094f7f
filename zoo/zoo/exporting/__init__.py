"""Models for where there is no zoo: a model folder, ONNX, one page of HTML."""
