"""A stand-in for the Hugging Face Hub, as far as its Python client expects one: for tests, on this machine only.

It was written to what `huggingface_hub` sends and accepts, and never compared with the Hub itself.
"""

from .faults import Fault as Fault
from .server import HubServer as HubServer
