# %% [markdown]
# # 8. Checkerboards
#
# **Question.** A regular pattern of dots or squares lies over the generated pictures, most of all in flat areas.
# Where does it come from, and does "nearest-neighbor upsampling and a convolution" instead of a transposed
# convolution remove it?

# %%
import os
import tempfile

import matplotlib.pyplot as plt
import torch
from torch import nn

import zoo

torch.manual_seed(0)
SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests

# %% [markdown]
# ## Counting
#
# A transposed convolution of stride 2 lays its kernel down at every second pixel and adds up where kernels overlap.
# How many kernels reach a pixel? Let all weights be 1 and the input be 1; then the output *is* that number. The
# layers below are those of the zoo's DCGAN generator for its three kernel sizes.


# %%
def transposed(kernel, channels=1):
    """The zoo's doubling layer: `zoo_plugins.dcgan.networks.up`."""
    return nn.ConvTranspose2d(channels, 1, kernel, 2, (kernel - 1) // 2, output_padding=kernel % 2, bias=False)


figure, axes = plt.subplots(1, 3, figsize=(8, 2.6), layout="constrained")
reached = {}
for axis, kernel in zip(axes, (3, 4, 5), strict=True):
    layer = transposed(kernel)
    nn.init.ones_(layer.weight)
    with torch.no_grad():
        count = layer(torch.ones(1, 1, 10, 10))[0, 0, 4:-4, 4:-4]  # without the border
    reached[kernel] = set(count.flatten().int().tolist())
    axis.imshow(count, cmap="gray", vmin=0, vmax=10)
    axis.set_title(f"kernel {kernel}: {sorted(reached[kernel])} kernels reach a pixel", fontsize=8)
    axis.axis("off")
assert reached == {3: {1, 2, 4}, 4: {4}, 5: {4, 6, 9}}

# %% [markdown]
# **What one sees.** With kernels of 3 and 5, which stride 2 does not divide, some pixels get twice or four times as
# much as their neighbors. With 4 all get the same. That is why the authors' Torch port has kernels of 4 where the
# paper has 5, and why the recipe `dcgan` has 4 (Odena et al. [2016](https://distill.pub/2016/deconv-checkerboard/)
# tell the whole story).
#
# ## Is it gone with 4?
#
# Not quite. Even so, each of the four kinds of pixels (even or odd row, even or odd column) is made by *its own*
# quarter of the weights. A flat input gives a flat output only if the four quarters happen to have equal sums.
# Nearest neighbors and then an ordinary convolution have one set of weights for all pixels:

# %%
flat = torch.ones(1, 8, 10, 10)
layers = {
    "transposed, kernel 4": transposed(4, 8),
    "transposed, kernel 5": transposed(5, 8),
    "nearest, then kernel 3": nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(8, 1, 3, padding=1, bias=False)
    ),
}
figure, axes = plt.subplots(1, 3, figsize=(8, 2.6), layout="constrained")
unevenness = {}
for axis, (name, layer) in zip(axes, layers.items(), strict=True):
    with torch.no_grad():
        output = layer(flat)[0, 0, 4:-4, 4:-4]
    unevenness[name] = (output.std() / output.abs().mean()).item()
    axis.imshow(output / output.abs().mean(), cmap="gray", vmin=-3, vmax=3)
    axis.set_title(f"{name}: unevenness {unevenness[name]:.2f}", fontsize=8)
    axis.axis("off")
assert unevenness["nearest, then kernel 3"] < 1e-4
assert min(unevenness["transposed, kernel 4"], unevenness["transposed, kernel 5"]) > 0.01

# %% [markdown]
# ## Whole generators
#
# A number for it: multiply a picture by a checkerboard of +1 and −1 (or stripes), and take the mean. In a natural
# picture neighbors cancel; a pattern of period 2 adds up. We divide by the picture's own standard deviation. White
# noise of 32×32 pixels gives about 0.05.


# %%
def checkerboard(images):
    """Root mean square of the three patterns of period 2, in standard deviations of the images [N, C, S, S]."""
    sign = 1 - 2 * (torch.arange(images.shape[-1]) % 2).float()
    patterns = torch.stack(
        [sign[:, None] * sign[None], sign[:, None].expand(-1, len(sign)), sign[None].expand(len(sign), -1)]
    )
    parts = torch.einsum("nchw,phw->ncp", images, patterns) / sign.numel() ** 2
    return (parts.square().sum(-1).mean().sqrt() / images.std()).item()


print(f"white noise: {checkerboard(torch.randn(64, 3, 32, 32)):.3f}")
pack = zoo.build_pack(zoo.PackRequest("faces", size=32, options={"count": 256 if SMALL else 2000}))
faces = pack.gather(torch.arange(256)).permute(0, 3, 1, 2).float() / 127.5 - 1
print(f"drawn faces: {checkerboard(faces):.3f}")

kinds = {
    "transposed, kernel 5": {"generator.kernel": 5},
    "transposed, kernel 4": {"generator.kernel": 4},
    "nearest": {"generator.upsample": "nearest"},
}
small = {"generator.width": 16, "discriminator.width": 16}
untrained = {}
for name, options in kinds.items():
    models = [zoo.create("dcgan", size=32, seed=seed, options={**small, **options}) for seed in range(8)]
    for model in models:
        zoo.estimate_statistics(model.generator)
    untrained[name] = sum(checkerboard(model.sample(32)) for model in models) / len(models)
    print(f"{name}, random weights: {untrained[name]:.3f}")

# %% [markdown]
# A generator with transposed convolutions is *born* with the pattern; training has to take it away. One with nearest
# neighbors has to learn to make it. Does that last?

# %%
assert untrained["nearest"] < 0.5 * untrained["transposed, kernel 5"]
assert untrained["nearest"] < 0.5 * untrained["transposed, kernel 4"]

IMAGES = 640 if SMALL else 3200
trained, samples = {}, {}
for name, options in kinds.items():
    settings = {**small, **options, "optimizer.lr": 1e-3, "dataset.count": len(pack)}  # a short training, so a fast one
    with tempfile.TemporaryDirectory() as folder:
        run = zoo.train("dcgan", dataset="faces", size=32, images=IMAGES, options=settings, watch=False, out=f"{folder}/run")
        samples[name] = zoo.load(run, raw=True).sample(64, seed=1)
    trained[name] = checkerboard(samples[name])

figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
for axis, (name, images) in zip(axes, samples.items(), strict=True):
    axis.imshow(zoo.show(images[:8], columns=4, scale=4))
    axis.set_title(f"{name}: {untrained[name]:.3f} untrained, {trained[name]:.3f} now", fontsize=8)
    axis.axis("off")
print(trained)

# %% [markdown]
# **What one sees.** After a few thousand pictures the patterns of the transposed generators are about half as strong
# and still plain to see: they *can* be unlearned, and the discriminator, to which a checkerboard is an easy
# give-away, sees to it. Look at flat backgrounds in your own early samples; if the pattern is still there at the end,
# `--set generator.upsample=nearest` is the cure. It has a price: nine weights for each output pixel in place of four,
# so that the layer computes 2¼ times as much.
#
# ## The discriminator makes them too
#
# The generator learns from the gradient at its pixels, and a *strided* convolution of kernel 3 or 5 looks at some
# pixels more often than at others (it is the transposed layer, read backwards). So even a perfect upsampling is
# pushed unevenly:

# %%
for kernel in (3, 4, 5):
    layer = nn.Conv2d(1, 1, kernel, 2, (kernel - 1) // 2, bias=False)
    nn.init.ones_(layer.weight)
    picture = torch.zeros(1, 1, 20, 20, requires_grad=True)
    layer(picture).sum().backward()
    looks = sorted(set(picture.grad[0, 0, 4:-4, 4:-4].flatten().int().tolist()))
    print(f"kernel {kernel}: a pixel is looked at {looks} times")
    assert (len(looks) == 1) == (kernel == 4)

# %% [markdown]
# ## Exercises
#
# 1. `zoo train dcgan-maxpool` has nearest neighbors in G and pooling in D. Measure its samples. *Hint:
#    `checkerboard(zoo.load(run).sample(64))`.*
# 2. Initialize a transposed kernel-4 layer so that a flat input stays flat. *Hint: the four quarters of the weights
#    must have equal sums; copy one ("ICNR" does that).*
# 3. Measure the bundled model: `checkerboard(zoo.load("dcgan-faces").sample(64))`. Is it above or below the drawn
#    faces?
