"""Models: what `zoo.load` returns, and the folder that one is published as."""
