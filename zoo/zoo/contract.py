"""Names of the contract that the public API carries too."""

from zoo_core import ImageSpec as ImageSpec
from zoo_core import ZooError as ZooError
from zoo_core import registry as registry
