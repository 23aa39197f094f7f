"""Where images come from: drawn faces, which need no download, folders of pictures, and the datasets of the field."""

from zoo_core import Component, Plugin

plugin = Plugin(
    summary="Drawn faces that need no download, folders of pictures, LSUN, ImageNet, CIFAR-10, SVHN, MNIST, the Hub",
    datasets={
        "faces": Component(
            "zoo_plugins.datasets.faces:Faces",
            summary="faces: drawn on this machine with labeled attributes; or (--data DIR) CelebA, LFW, your photographs",
            license="drawings: free for personal and commercial use (https://avataaars.com/); other styles have their own",
        ),
        "drawings": Component(
            "zoo_plugins.datasets.drawings:Drawings",
            summary="drawings: made on this machine, each of DiceBear's styles that may be passed on is a class",
            license="each style its own: CC0 1.0, CC BY 4.0, MIT, or free for personal and commercial use",
        ),
        "folder": Component(
            "zoo_plugins.datasets.folder:Folder",
            summary="the pictures of a folder, a zip or a tar (--data PATH); sub-folders become labels",
        ),
        "lsun": Component(
            "zoo_plugins.datasets.lsun:LSUN",
            summary="LSUN's scenes in its own LMDB folders (--data DIR --set dataset.category=bedroom)",
            paper="Yu et al. 2015, arXiv:1506.03365",
        ),
        "imagenet": Component(
            "zoo_plugins.datasets.imagenet:ImageNet",
            summary="ImageNet's ILSVRC 2012, class folders or the original tar (--data DIR)",
            paper="Russakovsky et al. 2015, arXiv:1409.0575",
            license="non-commercial research and education only (https://image-net.org/download)",
        ),
        "cifar10": Component(
            "zoo_plugins.datasets.cifar10:CIFAR10",
            summary="CIFAR-10, 32×32: binary or python batches, zips or class folders (--data DIR)",
            paper="Krizhevsky 2009",
        ),
        "svhn": Component(
            "zoo_plugins.datasets.svhn:SVHN",
            summary="Street View House Numbers, 32×32, the official .mat files (--data DIR)",
            paper="Netzer et al. 2011",
            license="non-commercial use only (http://ufldl.stanford.edu/housenumbers/)",
        ),
        "mnist": Component(
            "zoo_plugins.datasets.mnist:MNIST",
            summary="handwritten digits, gray, 28×28 padded to 32×32: idx files (--data DIR)",
            paper="LeCun et al. 1998",
        ),
        "fashion-mnist": Component(
            "zoo_plugins.datasets.mnist:FashionMNIST",
            summary="ten kinds of clothes, gray, 28×28 padded to 32×32: idx files (--data DIR)",
            paper="Xiao et al. 2017, arXiv:1708.07747",
            license="MIT",
        ),
        "hub": Component(
            "zoo_plugins.datasets.hub:Hub", summary="an image dataset of the Hugging Face Hub (--data user/name)"
        ),
    },
)
