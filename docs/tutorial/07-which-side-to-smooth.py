# %% [markdown]
# # 7. Which side to smooth
#
# **Question.** "Smooth the labels" is on every list of tricks. Some lists say that real pictures get 0.9 instead of
# 1, others that generated ones get 0.1 instead of 0 as well, or both at random. Does the side matter?
#
# It can be worked out with a pencil, and measured in a minute.

# %%
import math
import os

import matplotlib.pyplot as plt
import torch
from torch import nn

import zoo

SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests

# %% [markdown]
# ## With a pencil
#
# Let real pictures have the target 1 − s and generated ones the target t. The best discriminator is then (p and q are
# the densities of real and generated pictures; put the derivative of the cross-entropy to 0, as in lesson 1)
#
# > D(x) = ((1 − s)·p(x) + t·q(x)) / (p(x) + q(x))
#
# Look at a place where the generator is quite wrong: there are many generated pictures and next to no real ones, p is
# much smaller than q.
#
# - **t = 0**, only real ones are smoothed: D ≈ (1 − s)·p/q. The logit is log p − log q + a constant. Its slope does
#   not depend on s at all: however wrong the generator is, it is told where to go.
# - **t > 0**: D ≈ t, however far away the real pictures are. The logit is a plateau. A plateau has no slope.
#
# ## Measured
#
# Real numbers lie around 1, generated ones around −1. Four discriminators learn to tell them apart, each with another
# smoothing, which are options of the zoo's losses: `--set loss.smoothing=0.2` is s, `--set loss.smoothing_fake=0.2`
# is t.

# %%
STEPS, WIDTH = (400 if SMALL else 1000), 0.6
smoothings = {
    "none": {},
    "real, s = 0.2": {"smoothing": 0.2},
    "generated, t = 0.2": {"smoothing_fake": 0.2},
    "both": {"smoothing": 0.2, "smoothing_fake": 0.2},
}


def draw_real(n):
    return 1 + WIDTH * torch.randn(n, 1)


def draw_fake(n):
    return -1 + WIDTH * torch.randn(n, 1)


def train_discriminator(loss):
    torch.manual_seed(0)
    hidden = [nn.Linear(1, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2)]
    network = nn.Sequential(*hidden, nn.Linear(64, 1), nn.Flatten(0))
    adam = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(STEPS):
        scalar = loss.discriminator(network(draw_real(512)), network(draw_fake(512)))
        adam.zero_grad()
        scalar.backward()
        adam.step()
    return network


losses = {name: zoo.registry.create("losses", "non-saturating", options) for name, options in smoothings.items()}
discriminators = {name: train_discriminator(loss) for name, loss in losses.items()}

# %%
grid = torch.linspace(-3, 3, 121)[:, None]
p, q = (torch.distributions.Normal(mean, WIDTH).log_prob(grid).exp() for mean in (1.0, -1.0))
figure, axes = plt.subplots(1, 4, figsize=(12, 2.8), sharey=True, layout="constrained")
for axis, (name, network) in zip(axes, discriminators.items(), strict=True):
    s, t = (smoothings[name].get(key, 0.0) for key in ("smoothing", "smoothing_fake"))
    best = ((1 - s) * p + t * q) / (p + q)
    axis.fill_between(grid.flatten(), q.flatten(), alpha=0.2, label="generated")
    axis.fill_between(grid.flatten(), p.flatten(), alpha=0.2, label="real")
    axis.plot(grid, best, "k--", linewidth=1, label="with a pencil")
    axis.plot(grid, network(grid).sigmoid().detach(), "k", alpha=0.5, label="D, trained")
    axis.set_title(f"smoothed: {name}", fontsize=9)
    seen = (p + q) > 0.05
    assert (network(grid).sigmoid()[:, None] - best)[seen].abs().max() < 0.12  # the pencil was right
axes[0].legend(fontsize=7)

# %% [markdown]
# ## What the generator gets
#
# The generator learns from one thing only: the gradient of its loss at the numbers that it drew. Positive numbers
# below say that it is pulled to the right, which is where the real ones are.

# %%
fake = draw_fake(4000)
pull = {}
for name, network in discriminators.items():
    x = fake.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(losses[name].generator(network(x)) * len(x), x)
    pull[name] = -gradient.mean().item()
    print(f"smoothed: {name:20s} pull {pull[name]:5.2f}, largest logit {network(draw_real(4000)).max():5.1f}")
figure, axis = plt.subplots(figsize=(6, 2.2), layout="constrained")
axis.barh(list(pull), list(pull.values()))
axis.set_xlabel("mean pull towards the real numbers")
axis.invert_yaxis()

# %% [markdown]
# **What one sees.** Smoothing the real side leaves the generator's pull as it was. Smoothing the generated side takes
# most of it away, just where the generator is wrong and would need it. So: **smooth the real side, or none.**
# (Salimans et al. [2016](https://arxiv.org/abs/1606.03498) and Goodfellow [2016](https://arxiv.org/abs/1701.00160)
# say the same: one-sided.)

# %%
assert pull["real, s = 0.2"] > 0.6 * pull["none"]
assert pull["generated, t = 0.2"] < 0.4 * pull["none"]
assert pull["both"] < 0.4 * pull["none"]

# %% [markdown]
# ## What the real side is good for
#
# It puts a lid on the discriminator's confidence: with s = 0.2 no real number is worth a logit above log(0.8 / 0.2) =
# 1.4. A discriminator without a lid grows its weights for as long as it is right, and a generator that moves a little
# then sees cliffs.

# %%
lid = math.log(0.8 / 0.2)
tops = {name: network(draw_real(4000)).quantile(0.99).item() for name, network in discriminators.items()}
print({name: round(top, 1) for name, top in tops.items()}, f"lid: {lid:.1f}")
assert tops["real, s = 0.2"] < lid + 0.7 < tops["none"]

# %% [markdown]
# ## Small print
#
# - What is smoothed are the *discriminator's* targets. In its own step the generator asks for "real", 1, unsmoothed.
# - Targets that are drawn at random between 0.7 and 1.2 have the effect of their mean, 0.95, plus noise: the loss is
#   linear in its target.
# - Flipping labels of a few pictures at random (real ones called generated, and vice versa, with probability f) is
#   smoothing *both* sides by f, for the same reason.
# - A least-squares, hinge or Wasserstein loss has no targets of this kind; `zoo show hinge` lists no `smoothing`.
# - In a whole training the effect is smaller than here, as the discriminator seldom gets this far ahead. It shows
#   when it wins, and that is when one smooths.
#
# ## Exercises
#
# 1. Move the generated numbers to −3. What becomes of the four pulls? *Hint: how far do 512 numbers of each kind
#    overlap?*
# 2. Show the equality of flipping and smoothing. *Hint: train with flipped labels and compare with the pencil's line
#    for s = t = f.*
# 3. `zoo compare dcgan dcgan --dataset faces` takes one recipe's settings. Write a plugin with two recipes that
#    differ in smoothing (lesson 12), and compare them.
