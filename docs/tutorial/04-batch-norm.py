# %% [markdown]
# # 4. Batch normalization in training and evaluation
#
# **Question.** "I feed the same latent twice and get two different faces." "After `eval()` my samples look washed
# out." "The discriminator gives another score when I ask about one picture instead of 64." Three questions, one
# cause.

# %%
import copy
import os

import matplotlib.pyplot as plt
import torch

import zoo

torch.manual_seed(0)
torch.set_grad_enabled(False)  # nothing is trained until further down
SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests

model = zoo.load("dcgan-faces")  # comes with the package
generator, discriminator = copy.deepcopy(model.generator), copy.deepcopy(model.discriminator)

# %% [markdown]
# A batch-norm layer subtracts a mean and divides by a standard deviation, for each feature map. *Whose* mean? In
# training mode that of the batch which is passing through. In evaluation mode one that was stored earlier
# (`running_mean`, `running_var`). So in training mode a picture depends on its batch mates.
#
# ## The same latent, other mates
#
# One latent, drawn four ways: in evaluation mode, and in training mode beside two different crowds, and beside copies
# of itself.

# %%
z, crowd, others = (torch.randn(n, generator.latent_dim) for n in (1, 63, 63))
company = {
    "eval": (False, crowd),
    "eval, other mates": (False, others),
    "train": (True, crowd),
    "train, other mates": (True, others),
    "train, copies of itself": (True, z.expand(63, -1)),
}
pictures = {}
for name, (training, mates) in company.items():
    generator.train(training)
    pictures[name] = generator(torch.cat([z, mates]))[0]

figure, axes = plt.subplots(1, len(pictures), figsize=(11, 2.6), layout="constrained")
for axis, (name, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(zoo.to_pictures(picture[None])[0])
    axis.set_title(name, fontsize=9)
    axis.axis("off")


def levels(one, other):
    return (pictures[one] - pictures[other]).abs().mean().item() * 127.5  # of 255


for one, other in (("eval", "eval, other mates"), ("train", "train, other mates"), ("train", "train, copies of itself")):
    print(f"{one} / {other}: {levels(one, other):.2f} levels of 255 apart, on average")

# %% [markdown]
# **What one sees.** In evaluation mode the face is one face. In training mode it shifts a little with its mates.
# Beside copies of itself it is ruined: the crowd's mean is now this face's own, and subtracting it takes away most of
# what made it this face. (Somebody who draws a single sample in training mode does exactly that.)

# %%
assert levels("eval", "eval, other mates") < 0.01
assert levels("train", "train, other mates") > 0.5
assert levels("train", "train, copies of itself") > 3 * levels("train", "train, other mates")

# %% [markdown]
# ## The discriminator too
#
# It was trained on batches that were all real or all generated, and its answers in training mode use that: they
# compare a picture with its neighbors.

# %%
faces = torch.cat(list(model.batches(64, seed=5)))
noise = torch.rand_like(faces) * 2 - 1
answers = {}
for training in (False, True):
    discriminator.train(training)
    alone = discriminator(faces[:32])
    mixed = discriminator(torch.cat([faces[:32], noise[:32]]))[:32]
    answers[training] = alone, mixed
    spread = (alone - mixed).abs().mean()
    print(f"{'train' if training else 'eval'}: logits of the same 32 faces move by {spread:.3f} if noise stands beside them")
assert (answers[False][0] - answers[False][1]).abs().max() < 1e-3
assert (answers[True][0] - answers[True][1]).abs().mean() > 0.1

# %% [markdown]
# So: **real and generated pictures go through a discriminator with batch normalization separately**, each batch of
# one kind. The authors do it, the zoo does it (it puts them into one pass only where each picture is judged alone).
# And **a score is asked for in evaluation mode**, or it is a score of the batch.
#
# ## Then why are samples in evaluation mode sometimes bad?
#
# Because the stored statistics are. While a network is trained, they follow as moving averages: after every batch a
# tenth of the way. There are three ways for them to be wrong: they lag behind the weights; the weights that draw are
# not those that were trained (a moving average of weights has *never seen a batch*); or somebody built the network
# and loaded weights without them. Let us train a small generator for a moment and compare.

# %%
torch.set_grad_enabled(True)
small = {"generator.width": 16, "discriminator.width": 16}
fresh = zoo.create("dcgan", size=32, options=small)
g, d = fresh.generator.train(), fresh.discriminator.train()
average = copy.deepcopy(g)
adams = [torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.999)) for net in (d, g)]
loss = zoo.registry.create("losses", "non-saturating")
pack = zoo.build_pack(zoo.PackRequest("faces", size=32, options={"count": 256 if SMALL else 2000}))
for _ in range(30 if SMALL else 100):
    real = pack.gather(torch.randint(len(pack), (32,))).permute(0, 3, 1, 2).float() / 127.5 - 1
    fake = g(g.sample_latent(32))
    for adam, scalar in zip(
        adams,
        (lambda: loss.discriminator(d(real), d(fake.detach())), lambda: loss.generator(d(fake))),  # noqa: B023
        strict=True,
    ):
        adam.zero_grad()
        scalar().backward()
        adam.step()
    for mine, theirs in zip(average.parameters(), g.parameters(), strict=True):
        mine.data.lerp_(theirs.data, 0.1)  # the average of the weights, as many keep it: weights only

# %% [markdown]
# What a generator "really" draws is what it drew in training: pictures with the statistics of a large batch. How far
# from these are pictures with statistics that are stored?

# %%
torch.set_grad_enabled(False)
latents = torch.randn(256, g.latent_dim)


def gap(network):
    """How far pictures with stored statistics are from those with the statistics of 256 pictures, in levels of 255."""
    by_batch, stored = copy.deepcopy(network).train()(latents), copy.deepcopy(network).eval()(latents)
    return (by_batch - stored).abs().mean().item() * 127.5, stored


estimated = copy.deepcopy(average)
zoo.estimate_statistics(estimated)
gaps = {
    "the trained weights, running averages": gap(g),
    "averaged weights, statistics never updated": gap(average),
    "averaged weights, statistics estimated": gap(estimated),
}
figure, axes = plt.subplots(1, 3, figsize=(11, 2.4), layout="constrained")
for axis, (name, (levels_apart, images)) in zip(axes, gaps.items(), strict=True):
    axis.imshow(zoo.show(images[:16], columns=8, scale=1))
    axis.set_title(f"{name}:\n{levels_apart:.1f} levels", fontsize=9)
    axis.axis("off")

# %% [markdown]
# **What one sees.** Averaged weights with statistics that were never updated draw next to nothing: their layers still
# subtract 0 and divide by 1. The remedy is one line: estimate the statistics once, from some latents, for the weights
# that are going to draw. `zoo.estimate_statistics` does it with 1,024 fixed latents, and every model that the zoo
# writes has been through it. So `zoo.load` gives networks in evaluation mode, picture *i* of a seed is always the
# same picture, and a batch of one is fine.

# %%
(_, _), (never, _), (anew, _) = gaps.values()
assert anew < 0.3 * never
assert anew < 5

# %% [markdown]
# ## Rules
#
# | when | mode | why |
# |---|---|---|
# | a training step | train, both networks | gradients go through the statistics of the batch |
# | real and generated pictures, for D | two batches | otherwise each is judged by the other's mean |
# | samples, scores, features | eval | one picture, one answer |
# | before that, for the weights that draw | estimate once | running averages are of other weights |
#
# ## Exercises
#
# 1. Draw one picture alone (a batch of 1) in training mode. Why is there no error, although one number has no
#    variance? *Hint: a feature map of 4×4 has sixteen.* With `--set generator.projection_norm=unit` there is one.
#    Why?
# 2. Estimate the statistics of the discriminator from real pictures, then from generated ones, with
#    `zoo.estimate_batch_norm`. How do its logits differ? *Hint: `zoo probe` takes real ones.*
# 3. Train with `zoo train dcgan-nobn`. What is lost, and what is gained? *Hint: `zoo show dcgan-nobn`, and lesson 5
#    for its curves.*
