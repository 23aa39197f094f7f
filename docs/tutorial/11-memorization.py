# %% [markdown]
# # 11. Memorization
#
# **Question.** Has my model learned to draw faces, or has it learned *my* faces by heart? How many pictures are
# enough?
#
# Two networks can memorize. The discriminator does it first, and does it almost always with few pictures. The
# generator never sees a picture and finds it harder. We look at both.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import zoo
from zoo_core import Generator

SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests
FOLDER = Path(tempfile.mkdtemp())
SIZE = 16 if SMALL else 32


def open_faces(count, split="train"):
    pack = zoo.build_pack(zoo.PackRequest("faces", split=split, size=SIZE, options={"count": count}))
    return pack, pack.gather(torch.arange(len(pack))).permute(0, 3, 1, 2).float() / 127.5 - 1


MANY, FEW = (1000, 32) if SMALL else (2000, 64)
pack, faces = open_faces(MANY)
_, unseen = open_faces(MANY, "test")
print(f"{len(faces)} faces, and {len(unseen)} that no network will see")

# %% [markdown]
# ## The discriminator
#
# Two trainings with the same number of steps: on few faces and on many. Afterwards each discriminator is asked about
# faces that it was trained on and about faces that it has never seen. Both kinds are *real*. A discriminator that
# knows what faces look like gives both the same logits; one that knows its pictures tells them apart.

# %%
settings = {"generator.width": 16, "discriminator.width": 16, "optimizer.lr": 1e-3}
steps = {"batch": 16, "images": 3_200 if SMALL else 4_800}
seen, logits = {}, {}
for count in (FEW, MANY):
    choices = {"dataset": "faces", "size": SIZE, "options": {**settings, "dataset.count": count}, **steps}
    run = zoo.train("dcgan", **choices, watch=False, out=FOLDER / str(count))
    discriminator = zoo.load(run, raw=True).discriminator
    known = faces[: min(count, len(unseen))]  # a larger count adds faces, so the first are those of the small set
    with torch.no_grad():
        logits[count] = discriminator(known), discriminator(unseen)


def tell_apart(one, other):
    """How often a known face gets the higher logit of a pair: ½ is chance, 1 is always."""
    return (one[:, None] > other[None]).float().mean().item()


shares = {count: tell_apart(*pair) for count, pair in logits.items()}
figure, axes = plt.subplots(1, 2, figsize=(10, 2.8), layout="constrained")
for axis, (count, (known, others)) in zip(axes, logits.items(), strict=True):
    axis.hist([known.tolist(), others.tolist()], 25, density=True, label=["trained on", "never seen"])
    axis.set_title(f"{count} faces: known ones recognized in {shares[count]:.0%} of pairs", fontsize=9)
    axis.set_xlabel("logit")
_ = axes[0].legend(fontsize=8)
print(shares)

# %% [markdown]
# **What one sees.** With few faces the discriminator recognizes *pictures*, already after so short a training, and
# the longer the more. To it a known face is more real than a new one, so what it teaches the generator is no longer
# only "like faces" but "like these". With many it cannot know each, and knows what they share.

# %%
assert shares[FEW] > shares[MANY] + 0.1
assert shares[MANY] < 0.75

# %% [markdown]
# The medicine is to never show it the same picture twice: `--set training.augment=color,translation,cutout` (recipe
# `dcgan-diffaug`) changes all that it sees, real and generated alike. And fine-tuning a model that has seen many
# pictures: `zoo train --from MODEL`.
#
# ## The generator
#
# How would we *notice* a generator that copies? By looking for the nearest training picture of each sample. But how
# near is too near? Look at blurred samples: they are near to everything. So the zoo asks another question: is a
# sample much nearer to *one* training picture than to the fifty next ones? Real new pictures answer how often that
# happens by chance.
#
# A copier is easily built: a generator whose latents choose one of the training pictures. Ours adds a little noise,
# so that no two files are equal.


# %%
class Copier(Generator):
    def __init__(self, images, noise):
        spec = zoo.ImageSpec(images.shape[-1], images.shape[1])
        super().__init__(image=spec, latent_dim=8)
        self.images, self.noise = torch.nn.Parameter(images, requires_grad=False), noise

    def forward(self, z, labels=None):
        numbers = (z[:, 0].abs() * 1e4).long() % len(self.images)
        return (self.images[numbers] + self.noise * torch.randn(len(z), *self.images.shape[1:])).clamp(-1, 1)

    def stages(self):
        return {}


ABOUT = {"parts": {"generator": {"name": "copier"}}}  # what a model says of itself
kinds = {
    "copies, with noise": zoo.Model(Copier(faces, 0.05), None, ABOUT),
    "new faces": zoo.Model(Copier(unseen, 0.0), None, ABOUT),
    "new faces, paler": zoo.Model(Copier(0.85 * unseen + 0.15 * faces.mean(0), 0.0), None, ABOUT),
}
found = {}
for name, model in kinds.items():
    results = zoo.neighbors(model, dataset="faces", data=pack.path, features="scattering", samples=200, write=False)
    found[name] = results
    share, copies = results.metrics["memorized_share_pixels"], results.details["copies"]
    print(f"{name}: {share:.1%} of samples suspiciously near to one picture; copies: {copies}")

# %% [markdown]
# Why a plain distance would have been wrong: the third model draws new faces, a little mixed with the mean of all.
# Its pictures are *nearer* to training pictures than new faces are, and it copies nothing.


# %%
def nearest(model):
    samples = model.sample(200).flatten(1)
    return torch.cdist(samples, faces.flatten(1)).min(1)


figure, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
means = {}
for axis, (name, model) in zip(axes, kinds.items(), strict=True):
    distances, numbers = nearest(model)
    means[name] = distances.mean().item()
    pairs = torch.stack([model.sample(6), faces[numbers[:6]]])
    axis.imshow(zoo.show(pairs.flatten(0, 1), columns=6, scale=3))
    axis.set_title(f"{name}:\nnearest at {means[name]:.1f}, copies: {found[name].details['copies']}", fontsize=9)
    axis.axis("off")
assert found["copies, with noise"].details["copies"]
assert not found["new faces"].details["copies"]
assert not found["new faces, paler"].details["copies"]
assert means["new faces, paler"] < means["new faces"]

# %% [markdown]
# **What one sees.** Above are samples, below the nearest training picture. Only the first model is called a copier.
# By distance alone the third would look more suspicious than the second.
#
# And the copier has an excellent Fréchet distance (lesson 10). So the two belong together:
#
# ```sh
# zoo evaluate dcgan-faces --dataset faces --features scattering --metrics frechet
# zoo neighbors dcgan-faces --dataset faces
# ```
#
# ## Where this test is blind
#
# - A picture that stands in the data many times: all its neighbors are equally near. `zoo data dedup` first.
# - Copies that are mirrored or moved, for features that mind.
# - Parts: a copied face with new hair is a new picture to it.
#
# ## Exercises
#
# 1. Train the few faces with `"training.augment": ["color", "translation", "cutout"]`. What becomes of the share of
#    recognized pairs?
# 2. How much noise hides the copier? *Hint: raise 0.05; the test is of ratios, so it is more than you think.*
# 3. Does the model that comes with the package copy? *Hint: the second command above; it was trained on drawn faces.*
