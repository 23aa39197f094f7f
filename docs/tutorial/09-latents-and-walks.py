# %% [markdown]
# # 9. Latents, walks and arithmetic
#
# **Question.** A generator is fed random numbers. What do these mean? Can one say "the same face, but darker", and is
# what lies between two faces a face?
#
# The model of this lesson comes with the package; nothing is trained but a tiny classifier.

# %%
import os

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import avg_pool2d, cross_entropy

import zoo

torch.manual_seed(0)
SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests

model = zoo.load("dcgan-faces")
COUNT, DIM = (256 if SMALL else 1024), model.generator.latent_dim


@torch.no_grad()
def draw(latents):
    return torch.cat([model.generator(part) for part in latents.split(32)])


latents = torch.randn(COUNT, DIM)
faces = draw(latents)
print(f"latents of {DIM} numbers; their lengths: {latents.norm(dim=1).mean():.2f} ± {latents.norm(dim=1).std():.2f}")

# %% [markdown]
# ## All latents are equally long
#
# nearly. In one dimension normal numbers lie around 0; in many, hardly any latent is near the middle: its length is
# about √(dimension). The generator has learned that shell and nothing else. So do not walk through the middle:
# halfway on the straight line between two latents the length is only about √½ of what it should be.

# %%
pairs = latents[: COUNT // 2], latents[COUNT // 2 :]
halfway = sum(pairs) / 2
ratio = (halfway.norm(dim=1).mean() / latents.norm(dim=1).mean()).item()
print(f"length halfway on the straight line: {ratio:.2f} of a latent's")
assert abs(ratio - 0.5**0.5) < 0.05

factors = (0.0, 0.35, 0.7, 1.0, 1.4)
figure, axes = plt.subplots(1, len(factors), figsize=(11, 2.6), layout="constrained")
apart = {}
for axis, factor in zip(axes, factors, strict=True):
    images = draw(latents[:64] * factor)
    apart[factor] = torch.pdist(images.flatten(1)).mean().item()
    axis.imshow(zoo.show(images[:9], columns=3, scale=1))
    axis.axis("off")
for axis, factor in zip(axes, factors, strict=True):
    axis.set_title(f"× {factor}: {apart[factor] / apart[1.0]:.2f} as far apart", fontsize=9)
assert apart[0.0] < 1e-3 < apart[0.35] < apart[1.0]

# %% [markdown]
# **What one sees.** The shorter the latents, the more alike the faces, and in the very middle there is none at all:
# no latent that the generator was trained with was anywhere near. (The "truncation trick" of later papers goes a
# little of that way on purpose: nicer pictures, less variety.)
#
# ## Walks
#
# If the generator had learned pictures by heart, a path between two latents would jump from one to the next. A walk
# tells:

# %%
walk = zoo.walk(model, latents=4, steps=9, seed=3)
smoothness = walk.smoothness["pixels"]
print(
    f"largest step of a path: {smoothness.jump:.2f} of the difference of unrelated faces, "
    f"on the worst path {smoothness.worst:.2f}"
)
figure, axis = plt.subplots(figsize=(9, 3.2), layout="constrained")
axis.imshow(zoo.show(walk.images.flatten(0, 1), columns=9, scale=1))
_ = axis.axis("off")
assert smoothness.jump < 0.8

# %% [markdown]
# **What one sees.** Every picture on the way is a face. Between two *pictures* that is not so: halfway, one sees both
# at once. A number for it, with a distance as in lesson 10:

# %%
extractor, frechet = zoo.extractor("scattering"), zoo.registry.create("metrics", "frechet")
spherical = halfway / ratio  # back to the shell
middles = {
    "latents": draw(spherical),
    "latents, straight line": draw(halfway),
    "pictures": (draw(pairs[0]) + draw(pairs[1])) / 2,
}
known = zoo.extract(extractor, faces)
far = {name: frechet.measure(known, zoo.extract(extractor, images))["frechet"] for name, images in middles.items()}
figure, axes = plt.subplots(1, 3, figsize=(11, 2), layout="constrained")
for axis, (name, images) in zip(axes, middles.items(), strict=True):
    axis.imshow(zoo.show(images[:6], columns=6, scale=1))
    axis.set_title(f"halfway between {name}: {far[name]:.1f} from faces", fontsize=9)
    axis.axis("off")
assert far["latents"] < 0.7 * far["pictures"]

# %% [markdown]
# ## Directions have meanings
#
# Nobody told the generator what skin or glasses are. But if dark and light faces come from different parts of latent
# space, the difference of two mean latents is a *direction* from one to the other. To find dark and light faces among
# the samples we train the simplest of classifiers on labeled drawings: one matrix, on pictures of 16×16.

# %%
pack = zoo.build_pack(zoo.PackRequest("faces", size=32, options={"count": 512 if SMALL else 2000}))
drawn = pack.gather(torch.arange(len(pack))).permute(0, 3, 1, 2).float() / 127.5 - 1
skins = pack.info["attributes"]["skin_color"]
values = [skins.index(name) for name in ("dark", "light")]
labels = pack.attributes["skin_color"]
keep = sum(labels == value for value in values).bool()
inputs, targets = avg_pool2d(drawn[keep], 2).flatten(1), (labels[keep] == values[0]).long()
held = len(inputs) // 5

linear = torch.nn.Linear(inputs.shape[1], 2)
adam = torch.optim.Adam(linear.parameters(), lr=1e-3, weight_decay=1e-2)
for _ in range(150):
    scalar = cross_entropy(linear(inputs[held:]), targets[held:])
    adam.zero_grad()
    scalar.backward()
    adam.step()
accuracy = (linear(inputs[:held]).argmax(1) == targets[:held]).float().mean().item()
print(f"right on {accuracy:.0%} of {held} held-out drawings")
assert accuracy > 0.9


@torch.no_grad()
def darkness(images):
    """Probability that a face is dark rather than light: images [N, 3, 64, 64] → [N]."""
    return linear(avg_pool2d(images, 4).flatten(1)).softmax(1)[:, 1]


order = darkness(faces).argsort()
light, dark = order[: COUNT // 8], order[-COUNT // 8 :]
direction = latents[dark].mean(0) - latents[light].mean(0)

# %% [markdown]
# Now take *other* samples, and add the direction in steps.

# %%
others = torch.randn(128, DIM)
steps = torch.linspace(-1.5, 1.5, 7)
turned = [draw(others + step * direction) for step in steps]
shares = [(darkness(images) > 0.5).float().mean().item() for images in turned]
ends = steps[[0, -1]]
controls = []
for random in torch.randn(8, DIM):  # directions of the same length
    along = random / random.norm() * direction.norm()
    controls.append([(darkness(draw(others[:64] + step * along)) > 0.5).float().mean().item() for step in ends])

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), width_ratios=(2, 1), layout="constrained")
left.imshow(zoo.show(torch.stack([images[:4] for images in turned], 1).flatten(0, 1), columns=len(steps), scale=1))
left.axis("off")
right.plot(steps, shares, "o-", label="towards dark")
for number, control in enumerate(controls):
    right.plot(ends, control, "--", color="gray", linewidth=0.7, label=None if number else "random directions")
right.set_ylabel("share of dark faces")
right.legend(fontsize=8)
changes = [abs(last - first) for first, last in controls]
by_chance = sum(changes) / len(changes)
print(f"change of the share: {shares[-1] - shares[0]:.2f}, along random directions {by_chance:.2f} on average")
assert shares[0] < 0.25
assert shares[-1] > 0.75
assert shares[-1] - shares[0] > by_chance

# %% [markdown]
# **What one sees.** The skin turns, step by step, for any sample, and reliably from never to always. Other things
# change along with it: directions of different attributes are not at right angles. And random directions change the
# skin too, this way or that, as it is much of what a face looks like and there are few numbers. A direction without a
# control beside it proves little; `zoo turn` measures both, and how much of the rest is kept. `zoo directions` finds
# such directions without any labels.
#
# ## Arithmetic
#
# The paper's most famous picture, "man with glasses − man + woman": three mean latents, added and subtracted. Single
# exemplars were unstable, it says, as their own accidents are added too, and takes the mean of three. With our
# classifier we can count how often a dark face − a dark face + a light face is light:

# %%
trials = 64
generator = torch.Generator().manual_seed(0)


def mean_latent(pool, k):
    return torch.stack([latents[pool[torch.randperm(len(pool), generator=generator)[:k]]].mean(0) for _ in range(trials)])


rates = {}
for k in (1, 3, 8):
    result = mean_latent(dark, k) - mean_latent(dark, k) + mean_latent(light, k)
    rates[k] = (darkness(draw(result)) < 0.5).float().mean().item()
print("results that are light, by exemplars of each:", {k: f"{rate:.0%}" for k, rate in rates.items()})
assert rates[8] > 0.8
assert rates[8] >= rates[1] - 0.05

# %% [markdown]
# Skin is so much of a face that even one exemplar nearly always does. For smaller things it does not: glasses need
# three, hair color six ([looking inside](../inside.md)).
#
# The zoo does all of this with a better classifier, many trials, a control and an interval. The command below wants
# `pip install "dcgan-zoo[models]"`, or draws and learns for a few minutes first:
#
# ```sh
# zoo arithmetic dcgan-faces "glasses+dark - dark + light"
# ```
#
# ## Exercises
#
# 1. Walk in a straight line: `zoo.walk(model, how="linear")`. Is the largest step larger? Look at the middle of each
#    row.
# 2. Find the direction of glasses. *Hint: `pack.attributes["glasses"]`; a matrix is a weak judge of thin lines, so
#    look at the pictures too.*
# 3. Add noise of ±0.25 to each number of a latent, as the paper does around its results. How far does the face
#    change? *Hint: `torch.pdist`.*
