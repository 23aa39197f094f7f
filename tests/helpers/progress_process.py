"""Work that a terminal shows: each line of standard input is a step of it, "note" and "print" say something meanwhile."""

from __future__ import annotations

import sys

from zoo.progress import reporter_for_terminal

VALUES = {"images_per_s": "41", "d_loss": "0.127", "g_loss": "3.456", "D(real)": "0.912", "D(fake)": "0.123"}

if __name__ == "__main__":
    report = reporter_for_terminal()
    done = 10_000
    with report.task("training", 250_000, "images") as task:
        task.update(done, **VALUES)
        for line in sys.stdin:
            if line.strip() == "note":
                report.note("a note")
                report.warn("amiss")
            elif line.strip() == "print":
                print("printed")
                print("complained", file=sys.stderr)
            elif line.strip() == "end":
                break
            done += 144
            task.update(done, **VALUES)
    print("the end")
