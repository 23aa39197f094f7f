# %% [markdown]
# # 5. Healthy and sick curves
#
# **Question.** "My discriminator's loss is 0.0001 and the generator's climbs to 8. My losses do not go down. Which
# curve should I look at, and when do I stop the training?"
#
# We train three times the same: once as it should be, and twice spoiled on purpose.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import zoo
from zoo_core import Plugin, Recipe

SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests
FOLDER = Path(tempfile.mkdtemp())  # the runs of this lesson

# %% [markdown]
# The rates are ten times those of the recipe, because we have only some hundred steps and small networks. What is
# spoiled in the second training is the balance: the discriminator is fast and the generator slow. The third is the
# second with another loss, `minimax`, the original one of 2014. No recipe of the zoo has it with DCGAN's networks; in
# a notebook, one is added in a line.

# %%
added = zoo.registry.add(Plugin(recipes=[Recipe("dcgan-minimax", base="dcgan", loss="minimax")]), distribution="lesson")
SIZE, BATCH, IMAGES = (16, 16, 3_520) if SMALL else (32, 16, 4_800)
common = {"generator.width": 16, "discriminator.width": 16, "dataset.count": 256 if SMALL else 2000}
unbalanced = {"optimizer.discriminator.lr": 4e-3, "optimizer.generator.lr": 1e-5}
trainings = {
    "healthy": ("dcgan", {"optimizer.lr": 2e-3}),
    "D runs away": ("dcgan", unbalanced),
    "D runs away, original loss": ("dcgan-minimax", unbalanced),
}
runs = {
    name: zoo.train(
        recipe,
        dataset="faces",
        size=SIZE,
        batch=BATCH,
        images=IMAGES,
        options={**common, "training.log_every": 10, **options},
        evaluate_every=IMAGES // (2 if SMALL else 4),  # Fréchet distance of scattering features
        rescue=False,  # the zoo would repair what we are about to look at
        out=FOLDER / name.replace(" ", "-"),
    )
    for name, (recipe, options) in trainings.items()
}
diagnoses = {name: zoo.diagnose(run) for name, run in runs.items()}

# %% [markdown]
# Everything that a training says stands in `metrics.jsonl`; `zoo.diagnose` reads it. Here are the curves that people
# plot first, and below the samples.

# %%
curves = (
    {"d_loss": "discriminator's loss", "g_loss": "generator's loss"},
    {"d_real": "D(real)", "d_fake": "D(fake)"},
    {"g_grad": "norm of the generator's gradient"},
)
figure, axes = plt.subplots(4, 3, figsize=(11, 9), layout="constrained")
for column, (name, found) in zip(axes.T, diagnoses.items(), strict=True):
    images = [line["images"] for line in found.readings]
    column[0].set_title(name)
    for axis, keys in zip(column, curves, strict=False):
        for key, label in keys.items():
            axis.plot(images, [line[key] for line in found.readings], linewidth=0.8, label=label)
    column[1].set_ylim(0, 1)
    column[2].set_yscale("log")
    samples = zoo.load(runs[name], last=True, raw=True).sample(32, seed=1)
    column[3].imshow(zoo.show(samples, columns=8, scale=2))
    column[3].axis("off")
for row in axes[:3]:
    row[0].legend(fontsize=7)

# %% [markdown]
# And what the zoo has to say about them. It is these sentences that one should compare between two trainings, not the
# losses:

# %%
for name, found in diagnoses.items():
    print(f"{name}: {found.verdict}", *(f"  - {warning.kind}: {warning.words}" for warning in found.warnings), sep="\n")
    print(*(f"  {words}" for words in found.words[1:]), sep="\n")


def distances(found):
    return [value for key, values in found.measures_by_name().items() if key.startswith("frechet") for _, value in values]


def mean(found, key, part):
    values = [line[key] for line in found.readings[part]]
    return sum(values) / len(values)


healthy, winning, saturated = diagnoses.values()
quarter = len(healthy.readings) // 4
first, last = slice(quarter), slice(-quarter, None)
for name, found in diagnoses.items():
    print(name, "distances:", [round(value, 1) for value in distances(found)])

# %% [markdown]
# **What one sees.**
#
# - **Healthy**: both losses find a level soon and stay near it, noisy, for the rest of the training, while the
#   pictures become better all that time. The losses do not show it: each is measured by the strength of the other
#   player. The generator's loss may even *rise* while its pictures improve; its opponent has learned.
# - **D runs away**: its loss goes to 0, D(real) to 1, D(fake) to 0, and the generator's loss climbs. Nothing is wrong
#   with the discriminator. It is the generator that cannot follow.
# - **With the original loss** the curves of D are the same, and the generator's loss looks calm, near 0. It is the
#   calm of a dead line: look at its gradient. When D is sure, log(1 − D) is flat, so the generator is told nothing.
#   That is why nearly everybody has the *non-saturating* loss, whose gradient is large just then.

# %%
print(f"healthy: the generator's loss changed by {mean(healthy, 'g_loss', last) - mean(healthy, 'g_loss', first):+.2f}")
gradients = mean(winning, "g_grad", last), mean(saturated, "g_grad", last)
print(f"gradient of G at the end: {gradients[0]:.2g}, with the original loss {gradients[1]:.2g}")
assert min(distances(healthy)) < 0.7 * min(distances(winning))
assert mean(winning, "d_loss", last) < 0.3 * mean(healthy, "d_loss", last)
assert mean(winning, "g_loss", last) > mean(healthy, "g_loss", last)
assert mean(saturated, "g_grad", last) < 0.1 * mean(winning, "g_grad", last)
for found in (winning, saturated):
    assert "discriminator-wins" in {*found.passed, *(warning.kind for warning in found.warnings)}

# %% [markdown]
# ## So what does one look at?
#
# | look at | it tells |
# |---|---|
# | samples of the *same* latents, side by side in time | everything that you can see: `RUN/samples`, `zoo timelapse RUN` |
# | a distance to real pictures (`frechet_scattering`) | progress; the zoo keeps the checkpoint where it was best |
# | `diversity` | collapse: 1 is as varied as real pictures |
# | D(real) and D(fake) | who is ahead; both near ½ means even, not "finished" |
# | the losses | that nothing is infinite |
#
# **When to stop?** When the distance has not fallen for a long time; never because of a loss. It is not necessary to
# watch: what `zoo sample RUN` draws from is the best checkpoint, however long ago it was.
#
# **A discriminator's loss of 0, must I begin again?** Not at once. If the samples still change and the distance
# falls, it is only ahead. If `discriminator-wins` stays, do what stands beside it:

# %%
for warning in winning.warnings:
    print(f"{warning.kind}: {warning.advice}")

# %% [markdown]
# **And "update the generator twice"?** It is an old way to slow the discriminator down by half. A lower rate of the
# discriminator does much the same for less work: `--set optimizer.discriminator.lr=1e-4`.
#
# ## Exercises
#
# 1. Train `wgan-gp` for as many images. What does its critic's loss tell that this one does not? *Hint: `zoo
#    diagnose` speaks another language there.*
# 2. Train healthy ones with rates of 2e-4, 2e-3 and 2e-2. Which is best after this budget? *Hint: not the one that
#    you think; then look at ten times the budget.*
# 3. Leave out `rescue=False` and take a rate of 1. What does the zoo do? *Hint: `run.json`, `interventions`.*

# %%
added.close()  # forget the recipe of this session
