"""What the models of this package are, by `python -m zoo.catalog`, which writes this file."""

from zoo_core import PretrainedModel, Score

MODELS = {
    "dcgan-faces": PretrainedModel(
        where="zoo_plugins.pretrained:dcgan-faces",
        sha256={
            "config.json": "e80b03fa2a6bf5223fae914db27d074162e3df70dda8f426a2da89512044d0a9",
            "generator.safetensors": "41e339f084d6c4982ac6b0975e46171b2e6ce886f3c46ad4b055c159cf044f54",
            "discriminator.safetensors": "83ce91358bb618919a3e733582e9697000d0e840489d455e97f57fe532dc5b74",
            "README.md": "67d4e6e0784e39411954769d6b029880ac83b51895ccf06bcb444f53786b2d5d",
            "samples.png": "31c4039db05f3155a9ec77a49e3d51a2c1d977ffd7ba7c0d08aba84854cee9fd",
            "metrics.json": "8bda03b6b360f9b1bb250bab68797876f83661efe478cdabf0e35e5ee0418e60",
            "curves.png": "852a451e89cd96962bc3ecf4aa6ace39c444da940d901bbc55e038963b6ef5eb",
        },
        recipe="dcgan",
        dataset="faces",
        license="apache-2.0",
        summary="dcgan on faces, 64×64, after 120,000 images",
        size=64,
        bytes=585106,
        paper="Radford, Metz and Chintala 2015, arXiv:1511.06434, as in the authors' Torch port",
        images=120000,
        scores=[
            Score("frechet", 0.542429, 0.0275983, "scattering"),
            Score("kid", 0.000918198, 0.000207207, "scattering"),
            Score("precision", 0.6305, 0.0179332, "scattering"),
            Score("recall", 0.5695, 0.0194961, "scattering"),
            Score("memorized_share_pixels", 0.0, None, "discriminator"),
            Score("memorized_share_features", 0.0, None, "discriminator"),
        ],
    ),
}
