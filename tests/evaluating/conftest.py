"""What the tests of one model's measurement get."""

from helpers.metrics import registered as registered
