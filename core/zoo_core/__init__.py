"""The contract of the zoo: everything that the author of a plugin needs.

Importing this package imports no torch; each public name is loaded when it is first used, so that a plugin's record costs
nothing to list.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
