# %% [markdown]
# # 10. What FID means, and how it lies
#
# **Question.** "My FID is 24." Is that good? Is it better than the 26 of a paper?
#
# A Fréchet distance takes two heaps of feature vectors, fits a normal distribution to each (a mean and a covariance),
# and says how far these are apart. It is called FID if the features are those of the Inception network. That
# network's weights would have to be downloaded, so here we take features that are always at hand, `scattering` (304
# numbers of fixed wavelets), and real pictures only: nothing needs to be trained to see how the number behaves.

# %%
import os
from itertools import pairwise

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import avg_pool2d, interpolate

import zoo

torch.manual_seed(0)
SMALL = os.environ.get("ZOO_LESSON") == "small"  # the budget of our own tests

COUNT = 512 if SMALL else 2000
pack = zoo.build_pack(zoo.PackRequest("faces", size=32, options={"count": COUNT}))
images = pack.gather(torch.randperm(len(pack))).permute(0, 3, 1, 2).float() / 127.5 - 1
extractor = zoo.extractor("scattering")
frechet = zoo.registry.create("metrics", "frechet")


def features(images):
    return zoo.extract(extractor, images)


def distance(one, other):
    return frechet.measure(one, other)["frechet"]


known = features(images)
half = COUNT // 2
real, held_out = known[:half], known[half:]
print(f"{half} faces against {half} others: {distance(real, held_out):.2f}")

# %% [markdown]
# ## It orders
#
# What it is for: worse pictures, larger number.

# %%
subset = images[half:]
noise = torch.randn_like(subset)


def blur(pictures, by):
    return interpolate(avg_pool2d(pictures, by), scale_factor=by, mode="bilinear")


damages = {
    "as drawn": subset,
    "noise 0.05": subset + 0.05 * noise,
    "noise 0.2": subset + 0.2 * noise,
    "blur 2": blur(subset, 2),
    "blur 4": blur(subset, 4),
}
found = {name: distance(real, features(damaged.clamp(-1, 1))) for name, damaged in damages.items()}
figure, axes = plt.subplots(1, len(damages), figsize=(11, 2.6), layout="constrained")
for axis, (name, damaged) in zip(axes, damages.items(), strict=True):
    axis.imshow(zoo.show(damaged[:4].clamp(-1, 1), columns=2, scale=3))
    axis.set_title(f"{name}: {found[name]:.2f}", fontsize=9)
    axis.axis("off")
assert found["as drawn"] < found["noise 0.05"] < found["noise 0.2"]
assert found["as drawn"] < found["blur 2"] < found["blur 4"]

# %% [markdown]
# Blur and noise of about the same ugliness have quite different numbers, and with other features the order between
# *kinds* of damage may be another. A Fréchet distance orders what is wrong in the same way.
#
# ## First lie: the number of pictures
#
# The distance of two heaps from the *same* distribution is not 0, and the smaller the heaps, the larger it is: a
# covariance of 304 numbers cannot be told from a hundred pictures.

# %%
sizes = [size for size in (50, 100, 200, 400, 1000) if size <= half]
curve = [distance(real, held_out[:size]) for size in sizes]
figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
axis.loglog(sizes, curve, "o-", label="real faces, so many of them")
axis.axhline(found["blur 2"], color="tab:red", label=f"blurred faces, {half} of them")
axis.set_xlabel("pictures on one side")
axis.set_ylabel("Fréchet distance")
_ = axis.legend(fontsize=8)

# %% [markdown]
# **What one sees.** A perfect generator, judged by 50 pictures, loses against one that blurs, judged by many. So a
# distance without the number of pictures means nothing; 50,000 against the training images is the habit, and the zoo
# prints the protocol beside each number. (KID has no such bias. Ask for both: `--metrics fid,kid`.)

# %%
assert curve[0] > 2 * curve[-1]
assert curve[0] > found["as drawn"]
assert all(before > after for before, after in pairwise(curve))

# %% [markdown]
# ## Second lie: mean and covariance are not everything
#
# The distance is 0 whenever mean and covariance agree, whatever the pictures look like. Let us make such pictures:
# normal noise with exactly the mean and covariance of the faces' pixels. By features that *are* the pixels, they are
# perfect.

# %%
pixels = zoo.extractor("pixels", options={"size": 16})
mine = zoo.extract(pixels, images)  # [COUNT, 768]
mean, covariance = mine.mean(0), torch.cov(mine.T.double())
values, vectors = torch.linalg.eigh(covariance)
root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
white = torch.randn(COUNT, 768, dtype=torch.float64)
white = white - white.mean(0)
whitening, turned = torch.linalg.eigh(torch.cov(white.T) + 1e-9 * torch.eye(768))
rank = whitening > 1e-6  # fewer pictures than pixels leave some directions empty
white = (white @ turned[:, rank]) / whitening[rank].sqrt() @ turned[:, rank].T
ghosts = (mean + (white @ root).float()).view(-1, 3, 16, 16)

small_faces = interpolate(images, size=(16, 16), mode="bilinear", antialias=True)
by_pixels = distance(mine, ghosts.flatten(1)), distance(mine[:half], mine[half:])
by_scattering = distance(known, features(ghosts.clamp(-1, 1))), distance(known[:half], known[half:])
figure, axes = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
for axis, (name, shown) in zip(axes, {"faces": small_faces, "noise with their moments": ghosts}.items(), strict=True):
    axis.imshow(zoo.show(shown[:16].clamp(-1, 1), columns=4, scale=6))
    axis.set_title(name, fontsize=9)
    axis.axis("off")
print(f"by pixels: ghosts {by_pixels[0]:.2f}, other faces {by_pixels[1]:.2f}")
print(f"by scattering: ghosts {by_scattering[0]:.2f}, other faces {by_scattering[1]:.2f}")

# %% [markdown]
# **What one sees.** By pixels the ghosts on the right are nearer to the faces than other faces are. Scattering
# features are not fooled *by these*; others could be. That is why features matter more than the formula, and why
# numbers of different features are never compared.

# %%
if not SMALL:  # fewer pictures than numbers in a vector
    assert by_pixels[0] < by_pixels[1]
assert by_scattering[0] > 5 * by_scattering[1]

# %% [markdown]
# ## Third lie: how pictures are resized
#
# The same faces, made smaller in two ways: with antialiasing (each new pixel is a mean of old ones) and without (it
# is a sample).


# %%
def shrink(pictures, antialias):
    return interpolate(pictures, size=(16, 16), mode="bilinear", antialias=antialias, align_corners=False)


coarse = pack.gather(torch.arange(half)).permute(0, 3, 1, 2).float() / 127.5 - 1
same = distance(features(shrink(coarse, True)), features(shrink(images[:half], True)))
mixed = distance(features(shrink(coarse, True)), features(interpolate(images[:half], size=(16, 16), mode="nearest")))
print(f"both antialiased {same:.2f}; one of them not {mixed:.2f}")
assert mixed > 1.5 * same

# %% [markdown]
# Nothing was generated, and yet the number is several times as large. In the literature such differences are larger
# than many improvements (Parmar et al. [2022](https://arxiv.org/abs/2104.11222)). The zoo resizes once, when a pack
# is built, antialiased, and says so in every protocol.
#
# ## Fourth lie: a copy is perfect
#
# A model that has learned its pictures by heart has the best distance of all, because the real pictures it is
# compared with *are* the training images.

# %%
copied = distance(real, real.clone())
print(f"copies: {copied:.4f}; new real faces: {distance(real, held_out):.2f}")
assert copied < 0.01 * distance(real, held_out)

# %% [markdown]
# So beside a small distance always ask `zoo neighbors`: the next lesson.
#
# ## How to read one
#
# | before you compare two numbers | |
# |---|---|
# | the same features? | FID only with `inception`; the zoo calls others "Fréchet distance of …" |
# | as many pictures, of the same set? | below 10,000 mostly bias |
# | resized, cropped, rounded alike? | JPEG counts too |
# | how large is the spread? | `zoo evaluate` prints ±, a leaderboard's rows have intervals over seeds |
# | what is the floor? | the distance of two halves of the real pictures |
#
# ```sh
# zoo evaluate dcgan-faces --dataset faces --features scattering --metrics frechet,precision,recall
# ```
#
# ## Exercises
#
# 1. Plot the distance against 1/size. Where does the line meet 0? *Hint: the bias is about proportional to 1/size;
#    extrapolating is an old trick (FID∞).*
# 2. `precision` and `recall` split the number in two. What do they say of blurred faces, and of 10 faces repeated 100
#    times? *Hint: `zoo.registry.create("metrics", "precision")`, with `pip install "dcgan-zoo[eval]"`.*
# 3. Mirror half of the faces. Does scattering notice? *Hint: is the dataset symmetric?*
