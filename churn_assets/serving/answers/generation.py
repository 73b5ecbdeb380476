"""A language model that writes while a customer's request waits; what it can't write is the bank's.

A decision never waits for a message without end, and is never lost with one.
"""

from __future__ import annotations

import importlib
import logging
import math
import threading
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from churn_assets.messages.config import GenerationConfig
from churn_assets.messages.shield.brief import MessageBrief
from churn_assets.messages.writing.bandit import TemplateChooser
from churn_assets.messages.writing.bank import Author, ScoredTemplate
from churn_assets.messages.writing.writer import GENERATED_LANGUAGE, Message, MessageWriter

log = logging.getLogger(__name__)

NOTHING_PASSES = "nothing that it wrote passes the shield"
FAILED = "it failed; the service's log has the error"
NOT_LOADED = "it can't be loaded here; the service's log has the error"
NO_PACKAGES = "its packages can't be imported here; the service's log says which and what to do"
ENGLISH_ONLY = "it writes English only"
NO_CONTRACT = "it knows no such kind of contract as this customer's"
OF_THE_CUSTOMER = frozenset({ENGLISH_ONLY, NO_CONTRACT})
"""Reasons that say nothing of the model: it may well write for others."""


class NotGeneratedError(Exception):
    """Why the language model didn't write a message, in words for the answer's metadata."""


class Generator(Protocol):
    """A language model that is asked on the spot."""

    author: Author

    def candidates(self, brief: MessageBrief, seed: str, until: float) -> Sequence[ScoredTemplate]:
        """Templates for the brief, best first; TimeoutError once the clock is past `until`."""
        ...


class LiveWriter:
    """Writes by what the model generates, one message at a time, so that threads may share it.

    Attributes:
        seconds: that a request may wait for its message.
        problem: why nothing is generated at all, so that the bank writes everything; or None.
    """

    def __init__(
        self,
        writer: MessageWriter,
        model: Generator | None,
        seconds: float = math.inf,
        problem: str | None = None,
    ) -> None:
        self._writer, self._model = writer, model
        self._lock = threading.Lock()
        self.seconds, self.problem = seconds, problem

    @classmethod
    def load(
        cls,
        folder: Path,
        writer: MessageWriter,
        generation: dict[str, Any],
        *,
        candidates: int,
        seconds: float,
    ) -> LiveWriter:
        """From a release's `messages/live/`. One that can't be loaded here has a `problem`."""
        try:
            # By name: it imports torch, which a service that serves the bank must not even see.
            live = importlib.import_module("churn_assets.messages.writing.live")
        except ImportError:
            log.exception(
                "live_generation needs torch, transformers and peft: install them (on Modal: "
                "`make deploy` with CHURN_MESSAGES__LIVE_GENERATION=true), or build a release "
                "with CHURN_MESSAGES__LIVE_GENERATION=false"
            )
            return cls(writer, None, seconds, NO_PACKAGES)
        try:
            config = GenerationConfig.model_validate(generation)
            model = live.ReleasedModel.load(folder, config, candidates=candidates)
        except Exception:  # of three libraries, each with errors of its own
            log.exception("the release's language model can't be loaded")
            return cls(writer, None, seconds, NOT_LOADED)
        return cls(writer, model, seconds)

    def write(self, brief: MessageBrief, seed: str, until: float = math.inf) -> Message:
        """The best of what the model writes for the brief and the shield lets pass.

        Raises NotGeneratedError where there is none by `until`, a time of `time.monotonic()`.
        """
        if self._model is None or self.problem is not None:
            raise NotGeneratedError(self.problem)
        if brief.language != GENERATED_LANGUAGE:
            raise NotGeneratedError(ENGLISH_ONLY)
        if brief.contract is None:
            raise NotGeneratedError(NO_CONTRACT)
        try:
            written = self._in_turn(self._model, brief, seed, until)
        except TimeoutError:
            raise NotGeneratedError(f"it took longer than {self.seconds:g} s") from None
        except Exception as error:  # whatever it is, the customer's decision doesn't depend on it
            log.exception("the language model failed; the bank writes in its place")
            raise NotGeneratedError(FAILED) from error
        message = self._writer.write_best(written, self._model.author, brief)
        if message is None:
            raise NotGeneratedError(NOTHING_PASSES)
        return message

    def _in_turn(
        self, model: Generator, brief: MessageBrief, seed: str, until: float
    ) -> Sequence[ScoredTemplate]:
        wait = -1 if until == math.inf else max(0.0, until - time.monotonic())
        if not self._lock.acquire(timeout=wait):
            raise TimeoutError
        try:
            return model.candidates(brief, seed, until)
        finally:
            self._lock.release()


class Writing(NamedTuple):
    """Who writes a message.

    Attributes:
        writer: has templates.
        chooser: chooses among them by answers; None: the best by score, in turn.
        generator: is asked first, where there is one.
        until: the time of `time.monotonic()` from which on it is asked no more.
    """

    writer: MessageWriter
    chooser: TemplateChooser | None = None
    generator: LiveWriter | None = None
    until: float = math.inf

    def write(self, brief: MessageBrief, seed: str, day: date) -> tuple[Message, str | None]:
        """The message, and why the generator, where there is one, didn't write it.

        Args:
            day: another one may bring other words, where templates are chosen.
        """
        why = None
        if self.generator is not None:
            try:
                return self.generator.write(brief, seed, self.until), None
            except NotGeneratedError as error:
                why = str(error)
        if self.chooser is not None:
            seed = f"{seed}:{day}"
        return self.writer.write(brief, seed, self.chooser), why
