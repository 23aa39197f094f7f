"""What the tabs of a page share: its models, the shelf of kept pictures, and how their events are listened to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import gradio as gr
from torch import Tensor

from zoo_core import ZooError
from zoo_core.callers import for_caller

from ..progress import Reporter, Task
from . import markup
from .subjects import Kept, Subject

Shelf = tuple[Kept, ...]

_log = logging.getLogger(__name__)


@dataclass
class Page:
    """A page while its tabs are made."""

    blocks: Any  # the gr.Blocks that is being made
    subjects: tuple[Subject, ...]
    shelf: Any  # gr.State of what is kept, a `Shelf`
    chosen: Any  # gr.State of the number of the one that is chosen, −1 for none
    lock: threading.RLock = field(default_factory=threading.RLock)  # hooks on a network are seen by whoever runs it
    stopping: threading.Event = field(default_factory=threading.Event)  # set when the server is to stop

    def listen(
        self, triggers: Any, function: Callable[..., Any], inputs: Sequence[Any], outputs: Any, **choices: Any
    ) -> Any:
        """Call a function at an event, one at a time of all events of all sessions; what it raises is shown in the page."""
        how = {"api_visibility": "private", "concurrency_id": "compute", "concurrency_limit": 1, **choices}
        call = gr.on if isinstance(triggers, list) else triggers
        if isinstance(triggers, list):
            how["triggers"] = triggers
        return call(fn=self._guard(function), inputs=list(inputs), outputs=outputs, **how)

    def _guard(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def guarded(*arguments: Any, **named: Any) -> Any:
            try:
                with self.lock:
                    return function(*arguments, **named)
            except gr.Error:
                raise
            except ZooError as error:
                message = for_caller(error.message)
            except Exception as error:
                _log.debug("in the demo", exc_info=True)
                message = f"unexpected {type(error).__name__}: {error}"
            raise gr.Error(markup.escape(message), title="This did not work", print_exception=False)

        return guarded

    def report(self, progress: Any) -> Reporter:
        """Return where long work tells how far it is; `progress` is the function's own `gr.Progress`."""
        return PageReporter(progress, self.stopping)

    def subject_radio(self) -> Any:
        """Return what chooses one of the models; not to be seen where there is one."""
        names = [subject.name for subject in self.subjects]
        return gr.Radio(names, value=names[0], label="Model", visible=len(names) > 1, type="index")

    def find(self, index: Any) -> Subject:
        """Return the model that was chosen."""
        return self.subjects[index if isinstance(index, int) and 0 <= index < len(self.subjects) else 0]

    def draw(self, kept: Kept) -> Tensor:
        """Draw a kept picture by the model that it is of: [1, C, S, S]."""
        owner = next(subject for subject in self.subjects if subject.name == kept.owner)
        return owner.draw(kept.z[None], [kept.label])

    def start(self, subject: Subject, shelf: Shelf, chosen: int) -> Kept:
        """Return the picture to look at: the chosen one, where it is of this model's latents, else sample 0."""
        if 0 <= chosen < len(shelf) and subject.fits(shelf[chosen]):
            return shelf[chosen]
        return next((kept for kept in reversed(shelf) if subject.fits(kept)), None) or subject.first()


def show(value: str = "", **choices: Any) -> Any:
    """Return a component for HTML of `markup`, which brings its own looks."""
    return gr.HTML(value, apply_default_css=False, **{"js_on_load": None, **choices})


def pictures(**choices: Any) -> Any:
    """Return a component that shows pictures, whose event "select" says which was clicked."""
    return show(js_on_load=markup.PICK, **choices)


def pick_of(event: Any, most: int) -> int:
    """Return the number that a click on a picture says; raises `gr.Error` for none of 0 … most − 1."""
    try:
        number = int(event.pick)
    except (AttributeError, TypeError, ValueError):
        number = -1
    if not 0 <= number < most:
        raise gr.Error("this picture is not there any more", print_exception=False)
    return number


class PageReporter(Reporter):
    """Tells the page how far long work is, and ends it once the server is to stop."""

    def __init__(self, progress: Any, stopping: threading.Event) -> None:
        self.progress, self.stopping = progress, stopping

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Task]:
        yield _PageTask(self, label, total)


class _PageTask(Task):
    def __init__(self, reporter: PageReporter, label: str, total: float | None) -> None:
        self.reporter, self.label, self.total = reporter, label, total

    def update(self, done: float, *, amount: str = "", **values: str) -> None:
        if self.reporter.stopping.is_set():
            raise ZooError("the server is being stopped")
        self.reporter.progress(done / self.total if self.total else None, desc=self.label)
