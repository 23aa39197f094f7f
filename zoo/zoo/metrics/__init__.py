"""How good a model is, what its discriminator learned, whether it copies: `zoo.evaluate`, `zoo.probe`, `zoo.neighbors`."""
