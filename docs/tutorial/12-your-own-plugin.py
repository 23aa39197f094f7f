# %% [markdown]
# # 12. Your own plugin
#
# **Question.** I have an idea for a loss (a network, a dataset, a metric). How much of the zoo do I have to
# understand, fork and edit to try it?
#
# None of it. Everything in the zoo is a plugin, ours too. This lesson adds a loss that the zoo does not have, checks
# it, trains with it, and makes a package that others can install.

# %%
import importlib
import os
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import zoo
from zoo_core import Component, Plugin, Recipe
from zoo_core.testing import assert_conforms

SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests
FOLDER = Path(tempfile.mkdtemp())

# %% [markdown]
# ## The idea
#
# In the losses so far a discriminator says of each picture how real it is. Another idea is to look at *pairs*: a real
# picture should get a logit that is one higher than that of a generated one, whatever both are. (It is a cousin of
# the relativistic losses of Jolicoeur-Martineau [2018](https://arxiv.org/abs/1807.00734), with a square.) A loss is a
# class with two functions from logits to a scalar. It lives in a module, because a plugin names its classes by import
# strings.

# %%
module = '''
"""A loss on differences of logits."""

from typing import Annotated

from zoo_core import Loss
from zoo_core.options import Range


class PairSquares(Loss):
    """Of a real and a generated picture, the real one's logit is to be higher by a margin."""

    needs_real_logits = True

    def __init__(self, *, margin: Annotated[float, "by how much", Range(above=0)] = 1.0) -> None:
        self.margin = margin

    def discriminator(self, real_logits, fake_logits):
        return (real_logits - fake_logits - self.margin).square().mean()

    def generator(self, fake_logits, real_logits=None, features=None):
        return (fake_logits - real_logits - self.margin).square().mean()
'''
(FOLDER / "lesson_losses.py").write_text(module)
sys.path.insert(0, str(FOLDER))
importlib.invalidate_caches()

# %% [markdown]
# The keyword of the constructor is an *option*, with an explanation and a range. Nothing else has to be declared
# anywhere.
#
# ## Does it keep its promises?
#
# The conformance checks are those that our own losses pass: scalars, finite numbers, gradients that reach where they
# should, no waiting for the device, and whether `separable` is true.

# %%
assert_conforms("losses", Component("lesson_losses:PairSquares"))
print("it conforms")

# %% [markdown]
# What if one is mistaken? A loss that is *separable* is a sum of one function of the real logits and one of the
# generated ones; the zoo then differentiates each by itself, which saves memory (lesson 3). Ours is not: it looks at
# differences. Let us claim that it is.

# %%
(FOLDER / "lesson_mistake.py").write_text(
    module.replace("needs_real_logits = True", "needs_real_logits = True\n    separable = True")
)
importlib.invalidate_caches()
try:
    assert_conforms("losses", Component("lesson_mistake:PairSquares"))
except AssertionError as error:
    print(error)
    assert "separable" in str(error)
else:
    raise RuntimeError("nobody noticed")

# %% [markdown]
# ## A plugin
#
# is one record: names, and what bears them. With it comes a *recipe*: DCGAN with another loss. In a notebook
# `registry.add` registers it for this session.

# %%
plugin = Plugin(
    summary="A loss on differences",
    losses={"pair-squares": Component("lesson_losses:PairSquares", "a margin between real and generated")},
    recipes=[Recipe("dcgan-pair-squares", base="dcgan", loss="pair-squares", summary="DCGAN, pair by pair")],
)
added = zoo.registry.add(plugin, distribution="lesson")
assert "pair-squares" in zoo.registry.names("losses")

# %% [markdown]
# From now on it is as good as any: every option, in every command and function.

# %%
options = {"generator.width": 16, "discriminator.width": 16, "loss.margin": 1.5}
options |= {"optimizer.lr": 1e-3, "dataset.count": 256 if SMALL else 2000}
size, images = (16, 2_400) if SMALL else (32, 4_800)
run = zoo.train(
    "dcgan-pair-squares",
    dataset="faces",
    size=size,
    batch=16,
    images=images,
    options=options,
    watch=False,
    out=FOLDER / "run",
)
model = zoo.load(run, raw=True)
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.imshow(zoo.show(model.sample(32, seed=1), columns=8, scale=3))
_ = axis.axis("off")

# %% [markdown]
# A wrong option is answered as everywhere, with what is valid:

# %%
try:
    zoo.plan("dcgan-pair-squares", dataset="faces", options={"loss.margins": 2.0})
except zoo.ZooError as error:
    print(error)
    assert "margin" in str(error)
else:
    raise RuntimeError("nobody noticed")

# %% [markdown]
# **What one sees.** The samples show that the new loss trains: they are not noise. In numbers, by a distance to the
# real pictures, before and after:

# %%
pack = zoo.build_pack(zoo.PackRequest("faces", size=size, options={"count": options["dataset.count"]}))
extractor, frechet = zoo.extractor("scattering"), zoo.registry.create("metrics", "frechet")
real = zoo.extract(extractor, pack.gather(torch.arange(256)).permute(0, 3, 1, 2).float() / 127.5 - 1)
untrained = zoo.create("dcgan", size=size, options={"generator.width": 16, "discriminator.width": 16})
zoo.estimate_statistics(untrained.generator)
before, after = (frechet.measure(real, zoo.extract(extractor, one.sample(256)))["frechet"] for one in (untrained, model))
print(f"Fréchet distance of scattering features: {before:.1f} before, {after:.1f} after")
assert after < 0.9 * before

# %% [markdown]
# ## A package
#
# For others, the same as files. `zoo plugins new` writes a complete package, with a test, a README and an entry
# point, for any of eleven kinds of things:

# %%
from zoo.scaffold import new_plugin

package = new_plugin("zoo-pairs", kind="losses", into=FOLDER, license="mit", author="Ada Lovelace")
files = sorted(file.relative_to(package).as_posix() for file in package.rglob("*") if file.is_file())
print(*files, sep="\n")
assert "zoo_pairs/losses.py" in files
assert "zoo.plugins" in (package / "pyproject.toml").read_text()

# %% [markdown]
# On the command line:
#
# ```sh
# zoo plugins new zoo-pairs --kind losses --license mit --author "Ada Lovelace"
# pip install -e ./zoo-pairs
# zoo plugins check zoo-pairs
# zoo train pairs --dataset faces
# ```
#
# Put the class above into `zoo_pairs/losses.py` in place of the one that is there, and you have published research. A
# model that was trained with it names the loss and holds no code; who pulls it is told `pip install zoo-pairs`. All
# kinds, with an example of each: [Writing plugins](../plugins.md).

# %%
added.close()  # forget the plugin of this session
sys.path.remove(str(FOLDER))
assert "pair-squares" not in zoo.registry.names("losses")

# %% [markdown]
# ## Exercises
#
# 1. Give the generator the *average* form: compare each picture with the mean logit of the other kind. *Hint:
#    `fake_logits - real_logits.mean()`.*
# 2. Write an augmentation that makes pictures gray at random, and train with `{"training.augment": ["gray"]}`. *Hint:
#    `zoo plugins new zoo-gray --kind augmentations`.*
# 3. `zoo.compare(["dcgan", "dcgan-pair-squares"], dataset="faces", size=32, images=20_000, out="comparison")`: which
#    is better, and by how much more than the spread of seeds?
