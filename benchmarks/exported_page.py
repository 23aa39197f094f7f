"""How fast a page of `zoo export --to html` draws in Chromium, without WebGPU, and how large it is.

    python benchmarks/exported_page.py [--model dcgan-faces] [--count 256] [--rounds 5] [--runtime FILE.tgz] [--json]

The page is opened from the disk in a headless Chromium; `images_per_s` is the median over rounds of drawing `--count`
pictures by WebAssembly on one thread, latents and pixels included. The baseline is torch on one thread in this process, the
same latents in the same batches, between the rounds; `ratio` is the page's rate by torch's. `ready_s` is how long the page
takes from opening until all that it shows at first is drawn, 33 pictures; `cost` what the smaller weights change at most,
in 1/255.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

import zoo
from zoo.randomness import latents_for

BATCH = 8  # as the page's script has it for images of 64×64
DRAW = "async n => { const t = performance.now(); await explorer.draw(1, n); return (performance.now() - t) / 1000 }"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="dcgan-faces")
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runtime", help="what npm pack onnxruntime-web wrote; fetched otherwise")
    parser.add_argument("--json", action="store_true", help="print only the JSON")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, browser_rates, torch_rates = zoo.load(given.model), [], []
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        path = zoo.export(given.model, Path(temporary, "page.html"), to="html", runtime=given.runtime)
        size, cost = path.stat().st_size, re.search(r"by more than ([\d.e-]+)/255", path.read_text("utf-8"))
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        began = time.perf_counter()
        page.goto(f"{path.as_uri()}#wasm")
        page.evaluate("explorer.ready")
        ready = time.perf_counter() - began
        backend = page.evaluate("explorer.backend")
        for _ in range(given.rounds):
            browser_rates.append(given.count / page.evaluate(DRAW, given.count))
            torch_rates.append(given.count / draw(model, given.count))
        browser.close()
    rate, base = statistics.median(browser_rates), statistics.median(torch_rates)
    found = {
        "model": given.model,
        "size": model.image.size,
        "backend": backend,
        "images_per_s": round(rate, 1),
        "spread": [round(min(browser_rates), 1), round(max(browser_rates), 1)],
        "torch_images_per_s": round(base, 1),
        "ratio": round(rate / base, 3),
        "ready_s": round(ready, 2),
        "bytes": size,
        "cost": float(cost[1]) if cost else None,
    }
    if not given.json:
        print(f"{rate:.1f} images/s in the page, {base:.1f} by torch on one thread; {size / 1e6:.1f} MB")
    print(json.dumps(found))


@torch.no_grad()
def draw(model: zoo.Model, count: int) -> float:
    """Return the seconds that torch takes for the page's pictures."""
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        model.generator(latents_for(model.generator, 1, range(start, min(count, start + BATCH))))
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
