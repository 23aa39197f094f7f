"""Run by torchrun: `zoo train …` with the components of `helpers.training_samples`; each process leaves its weights behind.

torchrun … -m helpers.training_process FOLDER ARGUMENTS…
"""

from __future__ import annotations

import os
import sys
from typing import Any

from safetensors.torch import save_file

from helpers.training import samples
from zoo.training import train as training
from zoo_cli import main

folder = sys.argv.pop(1)
loop = training.train_loop


def watched(config: Any, budget: Any, state: Any, *arguments: Any, **named: Any) -> bool:
    finished = loop(config, budget, state, *arguments, **named)
    weights = {f"{name}.{k}": t for name, net in state.networks().items() for k, t in net.state_dict().items()}
    save_file({k: t.contiguous() for k, t in weights.items()}, os.path.join(folder, f"{os.environ['RANK']}.safetensors"))
    return finished


if __name__ == "__main__":
    training.train_loop = watched
    with samples():
        main()
