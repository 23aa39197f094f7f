# %% [markdown]
# # 2. The loop, and what replaces it
#
# **Question.** A whole DCGAN fits into a hundred lines. What is a library for?
#
# We write the hundred lines first: pictures from a folder, two networks, a loss, two optimizers, a loop. Then we
# replace one piece after another by the zoo's, and *check each time that the new piece is the old one*, number by
# number. In the end the loop is one line, and we list what it does that ours did not.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import nn

import zoo

SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests
FOLDER = Path(tempfile.mkdtemp())

# %% [markdown]
# Everybody's training begins with a folder of pictures. Ours are drawn.

# %%
faces = zoo.build_pack(zoo.PackRequest("faces", size=32, options={"count": 256 if SMALL else 2000}))
(FOLDER / "pictures" / "faces").mkdir(parents=True)
for number, pixels in enumerate(faces.gather(torch.arange(len(faces)))):
    picture = zoo.to_pictures(pixels.permute(2, 0, 1)[None].float() / 127.5 - 1)[0]
    picture.save(FOLDER / "pictures" / "faces" / f"{number:05d}.png")

# %% [markdown]
# ## A hundred lines

# %%
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

LATENT, WIDTH, BATCH = 100, 16, 32
STEPS, RATE = (60 if SMALL else 150), 1e-3  # five times the paper's rate: there are few steps


class PlainGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(LATENT, 4 * WIDTH * 16, bias=False)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(4 * WIDTH),
            nn.ReLU(),
            nn.ConvTranspose2d(4 * WIDTH, 2 * WIDTH, 4, 2, 1, bias=False),  # 8×8
            nn.BatchNorm2d(2 * WIDTH),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1, bias=False),  # 16×16
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(),
            nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1, bias=False),  # 32×32
            nn.Tanh(),
        )

    def forward(self, z):
        return self.layers(self.project(z).view(-1, 4 * WIDTH, 4, 4))


class PlainDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, WIDTH, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2),
            nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * WIDTH),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * WIDTH, 4 * WIDTH, 4, 2, 1, bias=False),
            nn.BatchNorm2d(4 * WIDTH),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(4 * WIDTH * 16, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.layers(x).squeeze(1)


def initialize(module):
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


torch.manual_seed(0)
to_tensor = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)])
data = datasets.ImageFolder(FOLDER / "pictures", to_tensor)
loader = DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True)
generator, discriminator = PlainGenerator(), PlainDiscriminator()
generator.apply(initialize)
discriminator.apply(initialize)
criterion = nn.BCELoss()
g_adam = torch.optim.Adam(generator.parameters(), lr=RATE, betas=(0.5, 0.999))
d_adam = torch.optim.Adam(discriminator.parameters(), lr=RATE, betas=(0.5, 0.999))
ones, zeros = torch.ones(BATCH), torch.zeros(BATCH)

step = 0
while step < STEPS:
    for real, _ in loader:
        d_adam.zero_grad()
        real_loss = criterion(discriminator(real), ones)
        real_loss.backward()
        fake = generator(torch.randn(BATCH, LATENT))
        fake_loss = criterion(discriminator(fake.detach()), zeros)
        fake_loss.backward()
        d_adam.step()

        g_adam.zero_grad()
        g_loss = criterion(discriminator(fake), ones)
        g_loss.backward()
        g_adam.step()

        step += 1
        if step % (STEPS // 3) == 0:
            print(f"step {step}: d loss {(real_loss + fake_loss).item():.3f}, g loss {g_loss.item():.3f}")
        if step == STEPS:
            break

with torch.no_grad():
    by_hand = generator(torch.randn(256, LATENT))

# %% [markdown]
# That works. Now piece by piece.
#
# ## The pictures
#
# `zoo.build_pack` decodes, crops and resizes once, with as many processes as there are cores, and keeps the result as
# bytes on disk: no training decodes a picture twice. Broken pictures are listed and skipped. The pixels are the same:

# %%
pack = zoo.build_pack(zoo.PackRequest("folder", FOLDER / "pictures", size=32))
ours = pack.gather(torch.arange(8)).permute(0, 3, 1, 2).float() / 127.5 - 1
theirs = torch.stack([data[i][0] for i in range(8)])
print(f"{len(pack)} pictures, largest difference {(ours - theirs).abs().max():.1e}")
assert torch.allclose(ours, theirs, atol=1e-5)

# %% [markdown]
# ## The networks
#
# `zoo.create` builds both for any size, gray or color. Same layers, same number of weights; with the same weights,
# the same pictures and the same answers:

# %%
model = zoo.create("dcgan", size=32, options={"generator.width": WIDTH, "discriminator.width": WIDTH})
for new, old in ((model.generator, generator), (model.discriminator, discriminator)):
    for mine, yours in zip(new.parameters(), old.parameters(), strict=True):
        mine.data.copy_(yours.data)
    for (_, mine), (_, yours) in zip(new.named_buffers(), old.named_buffers(), strict=True):
        mine.data.copy_(yours.data)
generator.eval()
discriminator.eval()
with torch.no_grad():
    z = torch.randn(16, LATENT)
    pictures = generator(z)
    assert torch.allclose(model.generator(z), pictures, atol=1e-4)
    logits = model.discriminator(pictures)
    assert torch.allclose(logits.sigmoid(), discriminator(pictures), atol=1e-4)
print("the same networks")

# %% [markdown]
# One thing differs: the zoo's discriminator ends with a *logit*, without the sigmoid.
#
# ## The loss
#
# The sigmoid moves into the loss, where it can be computed without overflow. In the ordinary range it is the same
# number:

# %%
loss = zoo.registry.create("losses", "non-saturating")
shown = torch.tensor([-2.0, 0.5, 3.0])
assert torch.allclose(loss.generator(shown), criterion(shown.sigmoid(), torch.ones(3)), atol=1e-6)
both = criterion(shown.sigmoid(), torch.ones(3)) + criterion((-shown).sigmoid(), torch.zeros(3))
assert torch.allclose(loss.discriminator(shown, -shown), both, atol=1e-6)

far = torch.tensor([-120.0], requires_grad=True)  # a discriminator that is very sure
gradients = {
    "sigmoid and BCELoss": torch.autograd.grad(criterion(far.sigmoid(), torch.ones(1)), far)[0].item(),
    "the zoo, of the logit": torch.autograd.grad(loss.generator(far), far)[0].item(),
}
print("gradient that the generator gets of a logit of −120:", gradients)
assert gradients["sigmoid and BCELoss"] == 0
assert abs(gradients["the zoo, of the logit"] + 1) < 1e-6

# %% [markdown]
# Far out the plain version fails in silence: the sigmoid of −120 is 0, `BCELoss` cuts its logarithm off at −100, and
# the gradient is 0. Just the generator that needs help most gets none.
#
# ## Optimizers, loop, samples
#
# The rest is one line. It trains the same networks by the same rule on the same number of pictures:

# %%
run = zoo.train(
    "dcgan",
    dataset="folder",
    data=FOLDER / "pictures",
    size=32,
    batch=BATCH,
    images=STEPS * BATCH,
    options={"generator.width": WIDTH, "discriminator.width": WIDTH, "optimizer.lr": RATE},
    out=FOLDER / "run",
)
trained = zoo.load(run)
by_zoo = trained.sample(256, seed=1)

# %%
extractor, frechet = zoo.extractor("scattering"), zoo.registry.create("metrics", "frechet")


def distance(images):
    real = zoo.extract(extractor, pack.gather(torch.arange(256)).permute(0, 3, 1, 2).float() / 127.5 - 1)
    return frechet.measure(real, zoo.extract(extractor, images))["frechet"]


untrained = zoo.create("dcgan", size=32, options={"generator.width": WIDTH})
zoo.estimate_statistics(untrained.generator)
far_off = {"untrained": untrained.sample(256), "by hand": by_hand, "zoo.train": by_zoo}
figure, axes = plt.subplots(1, 3, figsize=(11, 2.8), layout="constrained")
distances = {name: distance(images) for name, images in far_off.items()}
for axis, (name, images) in zip(axes, far_off.items(), strict=True):
    axis.imshow(zoo.show(images[:18], columns=6, scale=2))
    axis.set_title(f"{name}: distance to faces {distances[name]:.1f}", fontsize=9)
    axis.axis("off")
assert distances["by hand"] < 0.9 * distances["untrained"]
assert distances["zoo.train"] < 0.9 * distances["untrained"]

# %% [markdown]
# **What one sees.** Two trainings of the same kind, as early as they are: colors and outlines. (So few steps are next
# to nothing.) They differ as two seeds differ, and in that `zoo.train` draws from an average of the weights.
#
# ## What the one line does that the hundred do not

# %%
for file in sorted(
    path.relative_to(run.path).as_posix()
    for path in run.path.rglob("*")
    if path.suffix in (".json", ".jsonl", ".png", ".safetensors")
):
    print(file)
assert (run.path / "run.json").exists()
assert (run.path / "model" / "generator.safetensors").exists()

# %% [markdown]
# | in the loop | in the zoo | more |
# |---|---|---|
# | nothing is saved | checkpoints; resuming is exact, bit for bit | [resuming](../training.md#resuming) |
# | `torch.save` is a pickle | safetensors and JSON, without code | |
# | samples in training mode | batch-norm statistics of the weights that draw | lesson 4 |
# | the last weights | an average of the weights, the best checkpoint | [the best](../training.md#the-best-is-what-you-get) |
# | two losses | gradients, D(real), diversity, a distance, verdicts in words | lesson 5 |
# | it diverges | it goes back and on gentler | [rescue](../training.md#rescue) |
# | one thread decodes | packs | [data](../data.md) |
# | another idea: edit | another idea: a plugin | lesson 12 |
#
# ## Exercises
#
# 1. Change the size to 64. How many lines of the loop change, how many characters of `zoo.train`?
# 2. Write the sampling of the loop so that a picture does not depend on its batch. *Hint: lesson 4;
#    `generator.eval()` is not yet all.*
# 3. What does `drop_last=True` leave out of each epoch, and what would happen without it to `ones`? *Hint: 2,000 is
#    not a multiple of 32; the zoo's data are one endless stream.*
