"""What the tests of measuring get."""

from helpers.metrics import registered as registered
