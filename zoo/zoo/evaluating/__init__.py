"""One model measured: `zoo.evaluate`, `zoo.probe`, `zoo.neighbors`, `zoo.one_nn`, each of a model from anywhere."""
