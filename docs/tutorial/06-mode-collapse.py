# %% [markdown]
# # 6. Mode collapse, made and cured
#
# **Question.** All samples look alike. Is the network too small, the data too few, the seed unlucky? And what is one
# to do?
#
# Pictures hide what happens. So here each "picture" is a point in the plane, and the real ones lie on a ring of eight
# spots. Whoever draws one spot only has *collapsed*: seven of eight modes are missing.

# %%
import math
import os

import matplotlib.pyplot as plt
import torch
from torch import nn

import zoo

SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests

SPOTS = torch.tensor([[math.cos(math.pi * k / 4), math.sin(math.pi * k / 4)] for k in range(8)])


def draw_real(n):
    return SPOTS[torch.randint(8, (n,))] + 0.08 * torch.randn(n, 2)


def count_spots(points):
    """How many of the eight spots get at least an eighth of their share of the points."""
    distances, nearest = torch.cdist(points, SPOTS).min(1)
    found = torch.bincount(nearest[distances < 0.3], minlength=8)
    return int((found > len(points) / 64).sum())


# %% [markdown]
# ## A loop with one knob
#
# The loop is that of lesson 1. The knob is how fast the discriminator is beside the generator: by its learning rate,
# or by how many steps the generator takes for each of its own.

# %%
loss = zoo.registry.create("losses", "non-saturating")


def perceptron(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs))


def train(steps, *, generator_steps=1, discriminator_rate=1e-3, seed=0):
    """Return the discriminator, and what the generator draws at five moments."""
    torch.manual_seed(seed)
    g, d = perceptron(8, 2), nn.Sequential(perceptron(2, 1), nn.Flatten(0))
    g_adam = torch.optim.Adam(g.parameters(), lr=1e-3, betas=(0.5, 0.999))
    d_adam = torch.optim.Adam(d.parameters(), lr=discriminator_rate, betas=(0.5, 0.999))
    heaps = []
    for number in range(steps):
        d_loss = loss.discriminator(d(draw_real(128)), d(g(torch.randn(128, 8)).detach()))
        d_adam.zero_grad()
        d_loss.backward()
        d_adam.step()
        for _ in range(generator_steps):
            g_loss = loss.generator(d(g(torch.randn(128, 8))))
            g_adam.zero_grad()
            g_loss.backward()
            g_adam.step()
        if (number + 1) % (steps // 5) == 0:
            heaps.append(g(torch.randn(2000, 8)).detach())
    return d, heaps


# %% [markdown]
# ## Made
#
# A slow discriminator: ten steps of the generator for each of its own.

# %%
slow, collapsed = train(100 if SMALL else 150, generator_steps=10)


def show(heaps, title):
    figure, axes = plt.subplots(1, 5, figsize=(11, 2.4), sharex=True, sharey=True, layout="constrained")
    for axis, heap in zip(axes, heaps, strict=True):
        axis.scatter(*SPOTS.T, s=60, facecolors="none", edgecolors="tab:blue")
        axis.scatter(*heap[:500].T, s=2, color="tab:orange")
        axis.set_title(f"{count_spots(heap)} of 8", fontsize=9)
        axis.set(xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), aspect="equal")
    figure.suptitle(title)


show(collapsed, "a slow discriminator: blue rings are the real spots, orange points are generated")
spots = [count_spots(heap) for heap in collapsed]
assert max(spots) <= 3

# %% [markdown]
# **What one sees.** All points are in one heap, and the heap *moves*: the discriminator learns that the spot is not
# to be trusted, the generator moves on to another, and so on. It covers one at a time, if any. The loss curves of
# such a training swing to and fro (`zoo diagnose` calls it `oscillation`, and the samples `collapse`).
#
# ## Why
#
# Because a single heap is the *right answer* to a discriminator that holds still. The generator's loss is a mean over
# its points, each point by itself; nothing asks the points to differ. The best it can do is to put all of them where
# the discriminator is most easily fooled. We can watch it: the discriminator from above, frozen, and a fresh
# generator.

# %%
torch.manual_seed(3)
fresh = perceptron(8, 2)
adam = torch.optim.Adam(fresh.parameters(), lr=1e-3, betas=(0.5, 0.999))
spread = []
for _ in range(300 if SMALL else 600):
    points = fresh(torch.randn(128, 8))
    scalar = loss.generator(slow(points))
    adam.zero_grad()
    scalar.backward()
    adam.step()
    spread.append(torch.pdist(points.detach()).mean().item())
real_spread = torch.pdist(draw_real(500)).mean().item()
print(
    f"points lie {max(spread):.2f} apart at most while it learns, {spread[-1]:.2f} in the end; real ones {real_spread:.2f}"
)
assert spread[-1] < 0.5 * real_spread

# %% [markdown]
# What keeps a generator from collapsing is only that the discriminator *answers in time*: where too many points
# gather it lowers its logit, and the points are driven apart. Whatever makes its answers late makes collapse: too few
# steps, too low a rate, too small a network.
#
# ## Cured
#
# So let it answer sooner. First as many steps for either side; then, besides, three times the learning rate for the
# discriminator (Heusel et al. [2017](https://arxiv.org/abs/1706.08500) call that two time scales).

# %%
steps = 300 if SMALL else 800
if not SMALL:
    _, even = train(steps)
    show(even, "as many steps for either side")
_, cured = train(steps, discriminator_rate=3e-3)
show(cured, "and three times the rate for the discriminator")
spots = [count_spots(heap) for heap in cured]
print("spots found:", spots)
assert max(spots[-2:]) >= 6

# %% [markdown]
# **What one sees.** With the fast discriminator the points spread over all eight spots soon and stay there, although
# some are left in between. With equal speed it is in between, and chancy: try other seeds.
#
# It is the opposite of what is often advised, to hold the discriminator back. That advice is for another illness, of
# lesson 5: a discriminator that is right about everything and has no slope left. A *collapse* is an illness of a
# discriminator that is behind.
#
# ## On pictures
#
# | here | on pictures, in the zoo |
# |---|---|
# | count spots | `diversity`: how far samples lie apart, 1 is as far as real images; `zoo diagnose` |
# | a faster discriminator | `--set optimizer.discriminator.lr=4e-4`, or `--set algorithm.discriminator_steps=2` |
# | one that cannot build cliffs | `zoo train dcgan-r1`, `dcgan-sn`, `wgan-gp`: penalties and norms on its slope |
# | begin again from before it fell | the zoo does so by itself: [rescue](../training.md#rescue) |
#
# What does *not* help: waiting (it moves to the next spot), and a larger generator (it is not that it could not).
#
# ## Exercises
#
# 1. Keep the ten generator steps and raise the discriminator's rate instead. How far must it go?
# 2. Add R1 to the loop: `zoo.registry.create("losses", "non-saturating-r1", {"r1": 0.1, "every": 1})` and its
#    `penalty`. Does it cure at equal rates? *Hint: it wants images `[N, C, S, S]`; a point is an image of two
#    channels and one pixel. We measured: not always.*
# 3. Make one spot twenty times rarer than the others. Is it found? *Hint: `count_spots` should then count by its own
#    share.*
