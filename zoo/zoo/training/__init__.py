"""Training: from a plan to a run folder."""

import os

# Feature maps are tens of megabytes each. In huge pages, where Linux has them, they are made far faster. torch reads this at
# its first allocation, so it must be said before anything is allocated.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
