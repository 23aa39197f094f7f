# %% [markdown]
# # 3. Why two backward passes, and `detach`
#
# **Question.** Every GAN's training loop has a line like `discriminator(fake.detach())`, calls `backward` two or
# three times in a step, and asks the discriminator about the same pictures twice. Which of that has to be, which is
# for speed, and what happens to those who leave it out?

# %%
import os

import matplotlib.pyplot as plt
import torch
from torch import nn

import zoo

torch.manual_seed(0)
SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests

model = zoo.create("dcgan", size=32, options={"generator.width": 8, "discriminator.width": 8})
generator, discriminator = model.generator.train(), model.discriminator.train()
loss = zoo.registry.create("losses", "non-saturating")
real, z = torch.rand(16, 3, 32, 32) * 2 - 1, generator.sample_latent(16)  # what the pictures show is no matter here


def gradient_norm(network):
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return torch.stack([g.norm() for g in gradients]).norm().item() if gradients else 0.0


def forget():
    for network in (generator, discriminator):
        network.zero_grad(set_to_none=True)


# %% [markdown]
# ## What `detach` does
#
# `fake` is the end of a long computation: latents, the generator's layers, a picture. PyTorch remembers it as a
# graph. `fake.detach()` is the same numbers without their history. If the discriminator's loss is computed from that,
# `backward` ends at the picture; otherwise it goes on through the whole generator.

# %%
norms, reached = {}, {}
for name in ("detached", "not detached"):
    forget()
    fake = generator(z)
    d_loss = loss.discriminator(discriminator(real), discriminator(fake.detach() if name == "detached" else fake))
    d_loss.backward()
    norms[name] = {"D": gradient_norm(discriminator), "G": gradient_norm(generator)}
    reached[name] = sum(p.grad is not None for p in generator.parameters())
    print(
        f"{name}: {reached[name]} tensors of G got a gradient, of norm {norms[name]['G']:.3f}; in D {norms[name]['D']:.3f}"
    )

# %% [markdown]
# The gradient of the discriminator is the same in both cases. So for the discriminator's step `detach` changes
# *nothing* but the work: without it, backward climbs through every layer of the generator for gradients that nobody
# asked for.

# %%
assert reached == {"detached": 0, "not detached": len(list(generator.parameters()))}
assert abs(norms["detached"]["D"] - norms["not detached"]["D"]) < 1e-3 * norms["detached"]["D"]

# %% [markdown]
# ## Where it begins to matter
#
# The unwanted gradients stay in the generator's `.grad`, and the next `backward` adds to them. Whoever calls
# `zero_grad` on the generator right before its own backward pass throws them away, and nothing is wrong. Whoever does
# not has the generator step along the sum of two gradients. In which direction does the first one point? For the
# original loss of Goodfellow et al. it is *exactly* the opposite of where the generator wants to go: what the
# discriminator wins, the generator loses.


# %%
def gradients_of_generator(scalar):
    return torch.cat([g.flatten() for g in torch.autograd.grad(scalar, list(generator.parameters()), retain_graph=True)])


fake = generator(z)
logits = discriminator(fake)
minimax = zoo.registry.create("losses", "minimax")
of_d = gradients_of_generator(minimax.discriminator(discriminator(real), logits))
cosines = {}
for name in ("minimax", "non-saturating"):
    of_g = gradients_of_generator(zoo.registry.create("losses", name).generator(logits))
    cosines[name] = torch.cosine_similarity(of_d, of_g, dim=0).item()
    print(f"{name}: cosine between what D's loss leaves in G, and what G wants: {cosines[name]:.3f}")
assert cosines["minimax"] < -0.999
assert cosines["non-saturating"] < -0.5

# %% [markdown]
# A generator that adds both has nearly nothing left to go by. Here are three loops on one-dimensional numbers, as in
# lesson 1, whose mean is 2 and whose standard deviation is 0.5. The loops differ in one word each.

# %%
STEPS = 240 if SMALL else 500


def perceptron(inputs):
    return nn.Sequential(nn.Linear(inputs, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))


def train(loss, make_optimizer, *, detach, clean):
    torch.manual_seed(1)
    g, d = perceptron(4), perceptron(1)
    g_optimizer, d_optimizer = make_optimizer(g.parameters()), make_optimizer(d.parameters())
    trace = []
    for _ in range(STEPS):
        real, fake = 2 + 0.5 * torch.randn(128, 1), g(torch.randn(128, 4))
        g_optimizer.zero_grad()
        d_optimizer.zero_grad()
        d_loss = loss.discriminator(d(real).squeeze(1), d(fake.detach() if detach else fake).squeeze(1))
        d_loss.backward(retain_graph=not detach)
        d_optimizer.step()
        if clean:
            g_optimizer.zero_grad()
        loss.generator(d(fake).squeeze(1)).backward()
        g_optimizer.step()
        trace.append((fake.mean().item(), fake.std().item()))
    return torch.tensor(trace)


ways = {
    "detach": {"detach": True, "clean": True},
    "no detach, zero_grad before G's backward": {"detach": False, "clean": True},
    "no detach, no zero_grad there": {"detach": False, "clean": False},
}
games = {
    "minimax, plain gradient descent": (minimax, lambda parameters: torch.optim.SGD(parameters, lr=0.05)),
    "non-saturating, Adam": (loss, lambda parameters: torch.optim.Adam(parameters, lr=1e-3, betas=(0.5, 0.999))),
}
traces = {game: {way: train(*how, **kind) for way, kind in ways.items()} for game, how in games.items()}

figure, axes = plt.subplots(1, 2, figsize=(10, 3), layout="constrained")
for axis, (game, found) in zip(axes, traces.items(), strict=True):
    for (way, trace), style in zip(found.items(), ("-", "--", "-"), strict=True):
        (line,) = axis.plot(trace[:, 0], style, label=way)
        axis.fill_between(range(STEPS), *(trace[:, 0] + sign * trace[:, 1] for sign in (-1, 1)), alpha=0.15)
    axis.axhline(2, color="k", linewidth=0.5)
    axis.set_title(game, fontsize=9)
    axis.set_xlabel("step")
axes[0].set_ylabel("generated numbers: mean ± deviation")
_ = axes[0].legend(fontsize=7)

# %% [markdown]
# **What one sees.** The first two are one curve: the same training, the second with needless work. In the third, with
# the original loss and plain gradient descent, the generator does not move from where it began: both gradients
# cancel. With the loss and the optimizer of today it is worse, because it *seems* to work: the mean is found, but all
# numbers sit in one place, much narrower than the real ones. No error, no warning, only a generator that has no
# variety, and that people then take for mode collapse.

# %%
late = slice(-STEPS // 4, None)
for found in traces.values():
    right, needless, _ = found.values()
    assert torch.allclose(right[:50], needless[:50], atol=1e-3)
right, _, wrong = (trace[late].mean(0) for trace in traces["minimax, plain gradient descent"].values())
assert abs(right[0] - 2) < 0.7
assert abs(wrong[0] - 2) > 1.5
right, _, wrong = (trace[late].mean(0) for trace in traces["non-saturating, Adam"].values())
print(f"deviation of the generated numbers: {right[1]:.2f} as it should be, {wrong[1]:.2f} with both gradients")
assert wrong[1] < 0.6 * right[1]

# %% [markdown]
# Two errors do speak up. Without `detach` *and* without `retain_graph`, the discriminator's backward has already
# freed the generator's part of the graph when the generator comes to use it:

# %%
forget()
fake = generator(z)
loss.discriminator(discriminator(real), discriminator(fake)).backward()
try:
    loss.generator(discriminator(fake)).backward()
except RuntimeError as error:
    print(str(error).split(".")[0])
    assert "second time" in str(error)
else:
    raise AssertionError("the graph was still there")

# %% [markdown]
# ## Why ask the discriminator twice about the same pictures?
#
# Because between the two questions it has learned. `logits` of before were computed with the old weights; backward
# needs the weights as they were, and finds them changed:

# %%
forget()
optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4)
logits = discriminator(generator(z))
loss.discriminator(discriminator(real), logits).backward(retain_graph=True)
optimizer.step()
try:
    loss.generator(logits).backward()
except RuntimeError as error:
    print(str(error).split(":")[0])
    assert "inplace" in str(error)
else:
    raise AssertionError("the weights were still the old ones")

# %% [markdown]
# (It would be possible to compute both gradients first and then take both steps, one pass fewer. That is another
# algorithm, in which the generator answers to the discriminator of a step ago.)
#
# ## Why `backward` for real and generated pictures by themselves?
#
# `errD_real.backward(); errD_fake.backward()` or the sum, once? Gradients add up, so both are the same:

# %%
forget()
loss.discriminator(discriminator(real), discriminator(fake.detach())).backward()
together = torch.cat([p.grad.flatten() for p in discriminator.parameters()])
forget()
zeros = torch.zeros(len(real))  # a side without a graph
loss.discriminator(discriminator(real), zeros).backward()
loss.discriminator(zeros, discriminator(fake.detach())).backward()
apart = torch.cat([p.grad.flatten() for p in discriminator.parameters()])
print(f"largest difference: {(together - apart).abs().max():.1e}, largest gradient {together.abs().max():.1e}")
assert torch.allclose(together, apart, atol=1e-5)

# %% [markdown]
# What differs is memory. A graph keeps the feature maps that backward will need. Two graphs at once keep twice as
# many as one after the other:


# %%
def kept_bytes(compute):
    sizes = {}

    def pack(tensor):
        sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = compute()  # noqa: F841 (the graph lives as long as this)
    return sum(sizes.values())


both = kept_bytes(lambda: loss.discriminator(discriminator(real), discriminator(fake.detach())))
one = kept_bytes(lambda: loss.discriminator(discriminator(real), zeros))
print(f"kept for backward: {both / 1e6:.1f} MB for both at once, {one / 1e6:.1f} MB for one of them")
assert 1.5 < both / one < 2.5

# %% [markdown]
# May they go through the discriminator as *one* batch of twice the size, then? Only where each picture is judged by
# itself. With batch normalization it makes a difference which pictures go together: that is the next lesson.
#
# ## What the zoo does
#
# A recipe's algorithm names phases, and yields for each the scalars to minimize. It never calls `backward`; the
# engine does, and it hands over the parameters that the phase updates (`backward(inputs=…)`), so no gradient can land
# in a network that is not being trained, and nobody can forget a `zero_grad`. `fake` is drawn once, and the
# generator's phase goes on with its graph.

# %%
algorithm = zoo.registry.create("algorithms", "gan")
for phase in algorithm.phases({"loss": loss}):
    print(phase.name, "updates", *phase.updates)
scalars = {phase.name: phase.updates for phase in algorithm.phases({"loss": loss})}
assert scalars == {"discriminator": ("discriminator",), "generator": ("generator",)}

# %% [markdown]
# ## Exercises
#
# 1. Draw a *fresh* `fake` for the generator's step. Which of the errors above can no longer happen, and what does it
#    cost? *Hint: two graphs, two forward passes of the generator; some published code does this.*
# 2. Replace `fake.detach()` by a forward pass under `torch.no_grad()`. *Hint: count how many forward passes of G a
#    step needs now.*
# 3. Call `optimizer.step()` for the discriminator only every fifth step, and never `zero_grad` in between. What have
#    you built? *Hint: a minibatch five times as large; `--set training.accumulate=5` does it in the zoo.*
