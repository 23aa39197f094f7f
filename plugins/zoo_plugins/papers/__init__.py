"""Papers that `zoo reproduce` reproduces, each a folder of claims."""
