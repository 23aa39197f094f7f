"""A page in the browser to look at models and play with them; needs the extra `demo`.

from zoo.demo import build, serve

serve("dcgan-faces")  # until Ctrl-C
page = build("dcgan-faces")  # a gradio.Blocks, to be launched by whoever wants to
"""

from .serving import build as build
from .serving import serve as serve
