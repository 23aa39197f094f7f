# %% [markdown]
# # 1. What a GAN is
#
# **Question.** Two networks play against each other, and in the end one of them can draw. How can that work, if
# nobody ever tells it what a good picture is?
#
# Pictures have thousands of numbers, too many to look at. So here a "picture" is *one* number. Everything that makes
# a GAN is there all the same: a generator, a discriminator, a loss, two optimizers.

# %%
import os

import matplotlib.pyplot as plt
import torch
from torch import nn

import zoo

torch.manual_seed(0)
SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests: seconds instead of a minute

# %% [markdown]
# ## The real numbers
#
# They come from two humps, a large one around 1 and a smaller one around −1. The generator will never be told this.


# %%
def draw_real(n):
    large = torch.rand(n, 1) < 0.7
    return torch.where(large, 1 + 0.35 * torch.randn(n, 1), -1 + 0.25 * torch.randn(n, 1))


# %% [markdown]
# ## The players
#
# The **generator** turns a *latent*, four random numbers, into a number. The **discriminator** looks at a number and
# answers with a *logit*: high for "real", low for "generated". A sigmoid makes a probability of a logit; it belongs
# to the loss, not to the network.


# %%
def perceptron(inputs):
    hidden = [nn.Linear(inputs, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2)]
    return nn.Sequential(*hidden, nn.Linear(64, 1))


generator, discriminator = perceptron(4), perceptron(1)
adam = {"lr": 1e-3, "betas": (0.5, 0.999)}
optimizers = {
    "generator": torch.optim.Adam(generator.parameters(), **adam),
    "discriminator": torch.optim.Adam(discriminator.parameters(), **adam),
}


def judge(numbers):
    return discriminator(numbers).squeeze(1)  # [n, 1] → logits [n]


# %% [markdown]
# ## The game
#
# The loss is the zoo's own, the one that DCGAN trains with. It has two sides. The discriminator is paid for telling
# real from generated. The generator is paid if the discriminator takes its numbers for real. That is the whole trick:
# **the generator never sees a real number.** All that it gets is a gradient through the discriminator, which says "a
# little more to the right, and I would have believed you".

# %%
loss = zoo.registry.create("losses", "non-saturating")


def step(real):
    fake = generator(torch.randn(len(real), 4))
    d_loss = loss.discriminator(judge(real), judge(fake.detach()))  # why detach: lesson 3
    optimizers["discriminator"].zero_grad()
    d_loss.backward()
    optimizers["discriminator"].step()

    g_loss = loss.generator(judge(fake))
    optimizers["generator"].zero_grad()
    g_loss.backward()
    optimizers["generator"].step()
    return d_loss.item(), g_loss.item()


# %% [markdown]
# To see how far it is we need a distance that has nothing to do with either player. In one dimension there is a
# simple one: sort both heaps and take the mean difference of partners (the Wasserstein distance). Two heaps of 4,000
# real numbers are about 0.02 apart, so less than that cannot be expected.


# %%
@torch.no_grad()
def distance(n=4000):
    ours, theirs = generator(torch.randn(n, 4)), draw_real(n)
    return (ours.sort(0).values - theirs.sort(0).values).abs().mean().item()


STEPS = 400 if SMALL else 2000
seen, distances, losses = [0], [distance()], []
heaps = {0: generator(torch.randn(4000, 4)).detach()}
for number in range(1, STEPS + 1):
    losses.append(step(draw_real(256)))
    if number % (STEPS // 20) == 0:
        seen.append(number)
        distances.append(distance())
    if number in (STEPS // 20, STEPS):
        heaps[number] = generator(torch.randn(4000, 4)).detach()
print(f"distance before {distances[0]:.2f}, after {distances[-1]:.2f}")

# %%
figure, axes = plt.subplots(1, len(heaps), figsize=(10, 2.8), sharex=True, layout="constrained")
grid, bins = torch.linspace(-2.5, 2.5, 200)[:, None], torch.linspace(-2.5, 2.5, 60).tolist()
for axis, (number, heap) in zip(axes, heaps.items(), strict=True):
    axis.hist(draw_real(4000).flatten().tolist(), bins, density=True, alpha=0.5, label="real")
    axis.hist(heap.flatten().tolist(), bins, density=True, alpha=0.5, label="generated")
    axis.set_title(f"after {number} steps")
axes[-1].plot(grid.flatten(), judge(grid).sigmoid().detach(), "k", linewidth=1, label="D(x)")
_ = axes[-1].legend(fontsize=8)

# %% [markdown]
# **What one sees.** At first the generator puts everything into one place. The discriminator notices, its gradient
# pulls, and the heap spreads until it covers both humps, if roughly. The black line is the discriminator's answer at
# the end, D(x): where real and generated numbers are equally frequent it can only shrug, at ½.

# %%
assert min(distances[-5:]) < 0.5 * distances[0]

# %% [markdown]
# ## What the losses say
#
# Not much! They do not go to zero, and they should not. If the discriminator can only guess, D(x) = ½ everywhere, its
# loss is −log ½ − log ½ = 1.39, and the generator's −log ½ = 0.69. In this game the losses of two equal players lie
# near these numbers while all the learning goes on.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.8), layout="constrained")
left.plot(losses, linewidth=0.7, label=["discriminator's loss", "generator's loss"])
left.axhline(1.386, color="k", linewidth=0.5)
left.axhline(0.693, color="k", linewidth=0.5)
left.set_xlabel("step")
left.legend(fontsize=8)
right.plot(seen, distances, "o-")
right.set_ylim(0)
right.set_xlabel("step")
right.set_title("distance to the real numbers")

late = torch.tensor(losses[-STEPS // 4 :]).mean(0)
print(f"mean losses of the last quarter: {late[0]:.2f} and {late[1]:.2f}")
assert abs(late[0] - 1.386) < 0.25
assert abs(late[1] - 0.693) < 0.25

# %% [markdown]
# Nor does the distance fall smoothly: it wanders. Two players who learn from each other circle around the point where
# they would be even. Everything that came after 2014 (penalties, averages of weights, slower rates) is about making
# these circles smaller.
#
# ## What the discriminator learns
#
# Goodfellow et al. ([2014](https://arxiv.org/abs/1406.2661), proposition 1) say what the best discriminator answers
# for a generator that holds still: D(x) = p(x) / (p(x) + q(x)), where p is the density of real numbers and q of
# generated ones. We can check: two humps whose densities we know, and a discriminator that is trained until it knows
# them too.

# %%
discriminator = perceptron(1)
optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-3)
for _ in range(500 if SMALL else 1500):
    d_loss = loss.discriminator(judge(torch.randn(512, 1)), judge(1 + 0.7 * torch.randn(512, 1)))
    optimizer.zero_grad()
    d_loss.backward()
    optimizer.step()

normal = torch.distributions.Normal
real_density, fake_density = (normal(mean, width).log_prob(grid).exp() for mean, width in ((0.0, 1.0), (1.0, 0.7)))
best = real_density / (real_density + fake_density)
answer = judge(grid).sigmoid().detach()[:, None]

figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.plot(grid, real_density, label="p, real")
axis.plot(grid, fake_density, label="q, generated")
axis.plot(grid, best, "k--", label="p / (p + q)")
axis.plot(grid, answer, "k", alpha=0.5, label="D, trained")
_ = axis.legend(fontsize=8)

where = (real_density + fake_density) > 0.1  # elsewhere hardly a number was ever seen
error = (answer - best)[where].abs().max()
print(f"largest difference from p / (p + q): {error:.3f}")
assert error < 0.15

# %% [markdown]
# So a discriminator is an estimate of a *ratio of densities*. It needs no formula of either, only heaps of examples,
# and that is why GANs can learn things that nobody can write a density of, such as faces.
#
# ## Exercises
#
# 1. Give the generator latents of one number instead of four. Does it still cover both humps? *Hint: it is now a
#    curve that has to run from one hump to the other; look for numbers between the humps.*
# 2. Take `zoo.registry.create("losses", "least-squares")`. What do the losses of equal players become? *Hint: the
#    best answer to both is now ½ as a logit; put that into the formula.*
# 3. Let the generator make ten steps for each step of the discriminator. *Hint: lesson 6.*
