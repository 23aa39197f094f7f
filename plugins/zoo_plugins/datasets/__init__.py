"""Where images come from: drawn faces, which need no download, and folders of pictures."""

from zoo_core import Component, Plugin

plugin = Plugin(
    summary="Drawn faces that need no download, and folders of pictures",
    datasets={
        "faces": Component(
            "zoo_plugins.datasets.faces:Faces",
            summary="faces: drawn on this machine with labelled attributes, or your photographs (--data DIR)",
            licence="drawings: free for personal and commercial use (https://avataaars.com/)",
        ),
        "folder": Component(
            "zoo_plugins.datasets.folder:Folder",
            summary="the pictures of a folder (--data DIR); sub-folders become labels",
        ),
    },
)
