from ..cache import Stored as Stored
from ..cache import clear_packs as clear_packs
from ..cache import find_pack as find_pack
from ..cache import list_packs as list_packs
from .dedup import Deduplicated as Deduplicated
from .dedup import deduplicate as deduplicate
from .faces import detect_faces as detect_faces
from .inspecting import inspect_pack as inspect_pack
