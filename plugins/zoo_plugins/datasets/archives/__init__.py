"""Pictures inside zips and tars, read where they are: nothing is ever unpacked to disk.

Names that lead out of an archive (absolute, or with "..") could do no harm here; they are left out all the same, because an
archive that has them is not what it says. What a member's header declares is believed only as a limit: no more is inflated.
"""

from .formats import READ as READ
from .formats import archive_kind as archive_kind
from .formats import suffix_of as suffix_of
from .members import Members as Members
from .members import is_picture as is_picture
from .members import list_members as list_members
from .reading import open_picture as open_picture
from .reading import read as read
from .reading import read_archive as read_archive
from .reading import zip_members as zip_members
from .tars import read_compressed as read_compressed
from .tars import tar_members as tar_members
