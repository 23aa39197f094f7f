"""Run by torchrun: `zoo train …` with the components of `helpers.training_samples`; each process leaves its weights behind.

torchrun … -m helpers.training_process [--replayed] FOLDER ARGUMENTS…
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from typing import Any

from safetensors.torch import save_file

from helpers.graphs import replayed_trainings
from helpers.training import samples
from zoo.training import train as training
from zoo_cli import main

replayed = "--replayed" in sys.argv
if replayed:  # static steps, through a stand-in for CUDA graphs
    sys.argv.remove("--replayed")
folder = sys.argv.pop(1)
loop = training._loop


def watched(plan: Any, config: Any, state: Any, *arguments: Any) -> bool:
    finished = loop(plan, config, state, *arguments)
    weights = {f"{name}.{k}": t for name, net in state.tensors().items() for k, t in net.state_dict().items()}
    save_file({k: t.contiguous() for k, t in weights.items()}, os.path.join(folder, f"{os.environ['RANK']}.safetensors"))
    return finished


if __name__ == "__main__":
    training._loop = watched
    with samples(), replayed_trainings() if replayed else nullcontext() as made:
        try:
            main()
        finally:
            assert not replayed or made[0].replays > 0
