"""The trained models that come with the zoo: record of the plugin.

Each was made by the commands in docs/hub.md; `python -m zoo.catalog FOLDER` printed its record.
"""

from zoo_core import Plugin, PretrainedModel

plugin = Plugin(
    summary="Models trained on drawn faces",
    models={
        "dcgan-faces": PretrainedModel(
            where="zoo_plugins.pretrained:dcgan-faces",
            sha256={
                "config.json": "5f0d1d951cd1b45f94c5098e5c265df0fb261b56ef89d9cbf4feb3c995160982",
                "generator.safetensors": "448c633d598b3a446a58780a76b4fa0135539b7fbc55ba8ed9401446e1721fc9",
                "discriminator.safetensors": "80aae7f5f63338df219471dd5d6565c58eed93a2b283bb42b185796abe27d029",
                "README.md": "6f7e743cbe5ecbafd64141e38256268770076726a20f989dcf7e6ffcc7d095c6",
                "samples.png": "6ab553950a7a49244456295506566e86e39a4e99906c539bcb9fa55ea0bd69f0",
                "metrics.json": "4e3a180f4b14496d01c4b57ede80e190cf290080bf9b1375a877bde8dcd21e76",
            },
            recipe="dcgan",
            dataset="faces",
            license="apache-2.0",
            summary="drawn faces, 64×64, after 85,024 images",
            size=64,
            bytes=13286974,
            paper="Radford, Metz and Chintala 2015, arXiv:1511.06434, as in the authors' Torch port",
        ),
        "mlp-faces": PretrainedModel(
            where="zoo_plugins.pretrained:mlp-faces",
            sha256={
                "config.json": "95c6f2e6d803f60d9b134c421132943b3efe949f51b462e705f60588d6784394",
                "generator.safetensors": "2d38d19595b6978f457f37e48ecef9b0ab63094574c82ed4ded12d2238dce773",
                "discriminator.safetensors": "b66fb2d9e4587881af2ba9bd054f73f9eee7241f3cee701598d8b8b4de4efb76",
                "README.md": "d2a9f1f455a38493b7aef14fdccc26978264ee154c624e4271446306cc51bfb3",
                "samples.png": "6d194918c250950355e64c9c548bfea30bc5f60a232a71438de7a07001520b99",
                "metrics.json": "46052721b5cb81796ef57b6abf8739ce3640ca3d3c95750a8d2515102e53244c",
            },
            recipe="mlp-gan",
            dataset="faces",
            license="apache-2.0",
            summary="drawn faces, 32×32, fully connected: the baseline",
            size=32,
            bytes=7775513,
            paper="Goodfellow et al. 2014, arXiv:1406.2661",
        ),
    },
)
