# The zoo in a container, for CPUs or for CUDA:
#
#     docker build -t zoo .
#     docker build -t zoo-cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
#     docker run --rm -v "$PWD:/work" zoo sample dcgan-faces --out faces.png
#     docker run --rm --gpus all -v "$PWD:/work" zoo-cuda train dcgan --dataset faces
#
# What has been run: both wheels are built from exactly the files that are copied here, installed in a fresh environment and drawn from
# (.ci/wheels). What has not: `docker build` itself, the base image, the wheels of TORCH_INDEX, and everything with CUDA.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY core core
COPY plugins plugins
COPY zoo zoo
COPY cli cli
COPY pretrained pretrained
RUN pip install --no-cache-dir build \
    && python -m build --wheel --outdir /wheels . \
    && python -m build --wheel --outdir /wheels pretrained

FROM python:${PYTHON}-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --index-url "${TORCH_INDEX}" torch torchvision
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --find-links /wheels "dcgan-zoo[models]"
ENV ZOO_CACHE=/work/.zoo-cache
WORKDIR /work
ENTRYPOINT ["zoo"]
CMD ["--help"]
