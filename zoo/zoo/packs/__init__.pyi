from .build import build_pack as build_pack
from .pack import Pack as Pack
from .pack import open_pack as open_pack
from .pack import to_images as to_images
from .pack import to_uint8 as to_uint8
from .pack import write_view as write_view
from .request import PackRequest as PackRequest
