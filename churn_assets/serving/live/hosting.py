"""What serves: follows the latest release and predictions and the kill switch in the store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from churn_assets.customers.people import ASSET as ACTIVE
from churn_assets.customers.people import (
    NOBODY_KNOWN,
    Addressees,
    named_people_file,
    read_addressees,
)
from churn_assets.domain.contact_rules import OTHER_SPELLING
from churn_assets.domain.experiment import ExperimentConfig
from churn_assets.domain.plain_errors import describe
from churn_assets.messages.writing.bandit import TemplateChooser
from churn_assets.release.bundle import ReleaseError, artifact_name
from churn_assets.release.history import Stored
from churn_assets.release.offers import percent_offered
from churn_assets.release.registry import ReleaseRegistry
from churn_assets.release.switches import budget_price, experiment, kill_switch, templates
from churn_assets.serving.bulk.predictions import PredictionBook
from churn_assets.serving.engine import RetentionEngine
from churn_assets.serving.golden import check_golden, check_live
from churn_assets.serving.live.version_watcher import Version, VersionWatcher
from churn_assets.serving.metrics import (
    BASELINE_FORCED,
    LOOKS_FAILED,
    PREDICTION_LOADS,
    RELEASE_LOADS,
    SERVING,
)
from churn_assets.storage.current import asset_pointer, current_artifact
from churn_assets.storage.protocol import ArtifactError, ArtifactStore

log = logging.getLogger(__name__)

PEOPLE = "the customers' time zones, languages and opt-outs"
ANEW = f"mend that, or make {ACTIVE} anew (`churn materialize --job score_customers`)"
PEOPLE_UNREAD = (
    f"{PEOPLE} aren't read, so it isn't known who may be contacted; GET /readyz says why: {ANEW}"
)
"""Why nobody is decided for, and what to do, for whoever asks; it names no address."""
PEOPLE_UNASKED = f"{PEOPLE} aren't read yet; until they are, nobody is decided for"


class EngineHost:
    """Holds the serving engine and replaces it, whole, when a new one has proved itself.

    A request takes the reference once and keeps its engine to the end, so a swap needs no lock and
    delays nobody.

    Args:
        channels: by which the company contacts its customers.

    Attributes:
        forced: settings or environment ask for rules and reviewed templates only.
        switched_off: so does `forced`, or the store's kill switch.
        switch_problem: why the switch can't be read, or None; it then counts as on.
        experiment: by which some customers are left alone, as it is in force.
        budget_price: that is in force, and of which release; None: each release has its own.
        people: zones, languages and opt-outs, as the current active customers' table says; None:
            it isn't read yet or can't be, and nobody may be decided for.
        templates: chooses templates by what answers said of them; None: that is switched off.
    """

    def __init__(
        self,
        store: ArtifactStore,
        default_time_zone: str,
        forced: bool = False,
        experiment_settings: ExperimentConfig | None = None,
        *,
        channels: Iterable[str] = (),
        learn_from_answers: bool = False,
    ) -> None:
        self.store = store
        self.default_time_zone = default_time_zone
        self.forced = self.switched_off = forced
        self.switch_problem: str | None = None
        self._experiment_settings = experiment_settings or ExperimentConfig()
        self._experiments = dict.fromkeys((False, True), self._experiment_settings)
        self.budget_price: budget_price.BudgetPrice | None = None
        self._channels = tuple(channels)
        self.people: Addressees | None = None
        self._had_people = False  # the store has named a table of them
        self.templates: TemplateChooser | None = TemplateChooser() if learn_from_answers else None
        self._offered: frozenset[int] | None = None  # by any release; None: not read yet
        self._seen: dict[str, bytes | None] = {}
        self._problems: dict[str, str] = {}
        self.releases = VersionWatcher(
            "release",
            self._find_release,
            self._load_release,
            RELEASE_LOADS,
            stand_ins=lambda: map(_version, ReleaseRegistry(self.store).stand_ins()),
        )
        self.predictions = VersionWatcher(
            "predictions", self._find_predictions, self._load_predictions, PREDICTION_LOADS
        )
        self._looked = (asyncio.Event(), asyncio.Event())

    @property
    def engine(self) -> RetentionEngine | None:
        """What answers; None until the first release is loaded."""
        return self.releases.current

    @property
    def percent(self) -> tuple[int, ...]:
        """What answers may speak of, as far as it is known: the percentages of what serves and of
        all earlier releases."""
        serving = self.engine.assessor.percent if self.engine else ()
        return tuple(sorted({*serving, *(self._offered or ())}))

    @property
    def offers_known(self) -> bool:
        """Whether `percent` has all of them: there is a release, and the earlier ones were read."""
        return self._offered is not None and bool(self.percent)

    @property
    def experiment(self) -> ExperimentConfig:
        """Who is left alone, and how much is explored, among the customers of what answers."""
        manifest = self.engine.manifest if self.engine else None
        return self._experiments[manifest is not None and bool(manifest.contract)]

    @property
    def book(self) -> PredictionBook | None:
        """The latest materialised predictions; None until there are some."""
        return self.predictions.current

    def spelt_otherwise(self, customers: Iterable[str]) -> dict[str, str]:
        """Those of the ids that a customer has in other capitals, each with the rule that forbids
        to contact them: an opt-out, a group, a history would be that customer's."""
        book = self.book
        if book is None:
            return {}
        return {each: OTHER_SPELLING for each in customers if book.in_other_capitals(each)}

    @property
    def problem(self) -> str | None:
        """Why the latest release is not the serving one, or None."""
        return self.releases.held.problem

    @property
    def predictions_problem(self) -> str | None:
        """Why the predictions that are shown aren't the latest, or another release's than what
        answers: after a roll-back, until customers are scored anew. None if all is well."""
        held, engine = self.predictions.held, self.engine
        if held.problem or held.loaded is None or engine is None or self.problem:
            return held.problem
        made_by = held.loaded.campaign["release_id"]
        if made_by == engine.release_id:
            return None
        return (
            f"predictions and plans are by release {made_by}, which doesn't serve: "
            "run `churn materialize --job score_customers`, then plan again"
        )

    @property
    def people_problem(self) -> str | None:
        """Why the current table of who may not be contacted isn't in force, in a line; None where
        it is."""
        problem = self._problems.get("people")
        if self.people is not None:
            return problem and f"{problem}; what was read before is in force"
        if problem is None:
            return PEOPLE_UNASKED
        return f"{problem}; until they can, nobody is decided for: {ANEW}"

    def refresh(self) -> None:
        """Look at the store once and take what is new. Blocks while loading; never raises for a
        broken release or store."""
        self.look_at_switches()
        self.look_for_versions()

    async def follow(self, seconds: float) -> None:
        """Look now and then every `seconds`, until cancelled.

        The switch has a task and a thread of its own: no load, batch or generation stands before
        it.
        """
        switch, versions = self._looked
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_keep_calling(self.look_at_switches, seconds, switch))
            tasks.create_task(_keep_calling(self.look_for_versions, seconds, versions))

    async def looked(self) -> None:
        """Returns once `follow` has looked at everything for the first time."""
        for event in self._looked:
            await event.wait()

    def look_at_switches(self) -> None:
        """Read the kill switch, then whether the experiment runs, then the price of the budget."""
        self.look_at_switch()
        with self._kept("experiment", "whether the experiment runs"):
            self._experiments = {
                own: experiment.in_force(self.store, self._experiment_settings, own_customers=own)
                for own in self._experiments
            }
        with self._kept("budget_price", "the price of the budget"):
            self.budget_price = budget_price.read(self.store)

    def price_for(self, engine: RetentionEngine) -> float | None:
        """The price of the budget that is in force for a release; None: its own."""
        found = self.budget_price
        return None if found is None or found.release_id != engine.release_id else found.price

    @contextmanager
    def _kept(self, name: str, what: str) -> Iterator[None]:
        """While something can't be read, it stays as it was."""
        try:
            yield
            self._problems.pop(name, None)
        except Exception as error:  # logged and counted; the next look comes
            LOOKS_FAILED.labels(name).inc()
            problem = f"{what} can't be read: {' '.join(describe(error).split())}"
            if problem != self._problems.get(name):
                log.exception(problem)
            self._problems[name] = problem

    def look_at_switch(self) -> None:
        """Read the kill switch."""
        try:
            self.switched_off = self.forced or kill_switch.is_on(self.store)
            self.switch_problem = None
        except Exception as error:  # logged, counted, shown by /readyz; the next look comes
            LOOKS_FAILED.labels("switch").inc()
            self.switched_off = True  # somebody may have thrown it
            problem = f"{kill_switch.UNREADABLE}: {error}"
            if problem != self.switch_problem:
                log.exception(problem)
            self.switch_problem = problem
        BASELINE_FORCED.set(self.switched_off)

    def look_for_versions(self) -> None:
        """Take a new release and new predictions, if there are; neither waits for the other to be
        sound."""
        released = self.releases.refresh()
        if released and self.engine is not None:
            SERVING.clear()
            SERVING.labels(release_id=self.engine.release_id).set(1)
        if self.predictions.refresh() or released:
            with self._kept("copies", "which copies on this machine are outdated"):
                self.store.drop_copies()
        with self._kept("offers", "what earlier releases offered"):
            self._offered = percent_offered(self.store)
        if not released:  # else they were looked at on the way
            self.look_at_people()
        self.look_at_templates()

    def look_at_people(self) -> None:
        """Read where customers live, what they read and who said no; while that can't be read, what
        a table said before stays."""
        with self._kept("people", PEOPLE), self._moved(ACTIVE) as moved:
            if moved or self.people is None:
                try:
                    self.people = self._read_people()
                except Exception:
                    if self.people is NOBODY_KNOWN:  # that there was no table says nothing of one
                        self.people = None
                    raise

    def _read_people(self) -> Addressees:
        if self.store.read_pointer(asset_pointer(ACTIVE)) is None:
            if self._had_people:  # whoever said no in it hasn't taken that back
                raise ArtifactError(f"{ACTIVE} isn't named any more in {self.store.url}")
            return NOBODY_KNOWN
        self._had_people = True
        return read_addressees(named_people_file(self.store), self._channels)

    def look_at_templates(self) -> None:
        """Read what answers said of templates; while that can't be read, it stays as it was."""
        if self.templates is not None:
            with (
                self._kept("templates", "what answers said of templates"),
                self._moved(templates.ASSET) as moved,
            ):
                if moved:
                    self.templates = templates.in_force(self.store, learn=True)

    @contextmanager
    def _moved(self, asset: str) -> Iterator[bool]:
        """Whether the asset is another one than the last that was read without an error."""
        pointer = self.store.read_pointer(asset_pointer(asset))
        yield pointer != self._seen.get(asset)
        self._seen[asset] = pointer

    def _find_release(self) -> Version:
        latest = ReleaseRegistry(self.store).latest()
        if latest is None:
            raise ReleaseError("there is no release yet: run `churn materialize`")
        return _version(latest)

    def _load_release(self, version: Version) -> RetentionEngine:
        folder = self.store.get(version.artifact)
        engine = RetentionEngine.load(folder, self.default_time_zone)
        if artifact_name(engine.release_id) != version.artifact.name:
            raise ReleaseError(f"its files are those of release {engine.release_id}")
        check_golden(engine, folder)  # also warms up every code path and cache
        check_live(engine, folder)
        # Before it answers, and after it was found: its customers' table is there by then.
        self.look_at_people()
        return engine

    def _find_predictions(self) -> Version:
        artifact = current_artifact(self.store, "predictions")
        return Version(f"predictions {artifact.version}", artifact)

    def _load_predictions(self, version: Version) -> PredictionBook:
        return PredictionBook.load(self.store.get(version.artifact))


def _version(release: Stored) -> Version:
    return Version(f"release {release.release_id}", release.artifact)


async def _keep_calling(look: Callable[[], None], seconds: float, looked: asyncio.Event) -> None:
    """Call `look` in a thread of its own, now and every `seconds`, until cancelled."""
    thread = ThreadPoolExecutor(max_workers=1)
    loop = asyncio.get_running_loop()
    try:
        while True:
            try:
                await loop.run_in_executor(thread, look)
            except Exception:
                # `look` takes care of all that a store may hold; this is for what it does not
                # foresee, such as a machine without a thread to spare.
                log.exception("looking at the store failed; the next look comes")
            looked.set()
            await asyncio.sleep(seconds)
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
