"""An engine whose answers are made in processes of their own.

Steps and ratings have workers to themselves; whole paths and audiences, which take longer, and the
reading of a new version have another.  So what is slow never delays what is not.
"""

from pathlib import Path
from threading import Lock
from typing import Any

from influpath.serving.bundles.bundle import read_about
from influpath.serving.bundles.names import check_version
from influpath.serving.cores import keep_off, planning_cores
from influpath.serving.engine.asks import (
    AudienceAnswer,
    AudienceAsk,
    BundleCard,
    PathAnswer,
    PathAsk,
    RateAsk,
    Rating,
    StepAnswer,
    StepAsk,
)
from influpath.serving.engine.begin_asks import BeginAnswer, BeginAsk
from influpath.serving.engine.lane import Lane, Waiting
from influpath.serving.engine.steps import group_of
from influpath.serving.settings import ServerSettings


class EngineWorkers:
    """Answers in worker processes; see ``Engine``.

    Args:
        settings: Folder of bundles, number of workers, their threads and memory.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.bundles = Path(settings.bundles).absolute()
        self._fingerprints: dict[str, str] = {}
        self._lock = Lock()
        cores = planning_cores(settings.workers) if settings.pin else ()
        keep_off(cores)
        held, threads = settings.loaded, settings.threads
        self.fast = Lane(settings.workers, self.bundles, held, threads, cores=cores)
        self.slow = Lane(1, self.bundles, held, threads, patient=True)

    def fingerprint(self, version: str) -> str:
        """Return what a version is; what it was at first is what it must stay.

        Raises:
            ConfigError: The name is none.
            ModelFileError: There is no such bundle, or it is damaged.
        """
        with self._lock:
            found = self._fingerprints.get(version)
        if found is None:
            about = read_about(self.bundles / check_version(version))
            with self._lock:
                found = self._fingerprints.setdefault(version, about.fingerprint)
        return found

    def _put(self, lane: Lane, kind: str, version: str, ask: Any, alike: Any = None) -> Any:
        waiting = Waiting(kind, version, self.fingerprint(version), ask, alike)
        return lane.put(waiting)

    def step(self, ask: StepAsk) -> StepAnswer:
        """See ``Engine.step``."""
        alike = ("step", *group_of(ask))
        answer: StepAnswer = self._put(self.fast, "step", ask.version, ask, alike).result()
        return answer

    def rate(self, asks: tuple[RateAsk, ...]) -> tuple[Rating, ...]:
        """See ``Engine.rate``."""
        versions = dict.fromkeys(ask.version for ask in asks)
        waiting = {
            version: self._put(
                self.fast,
                "rate",
                version,
                tuple(ask for ask in asks if ask.version == version),
                ("rate", version),
            )
            for version in versions
        }
        ratings = {version: iter(answer.result()) for version, answer in waiting.items()}
        return tuple(next(ratings[ask.version]) for ask in asks)

    def begin(self, ask: BeginAsk) -> BeginAnswer:
        """See ``Engine.begin``."""
        alike = ("begin", ask.version)
        answer: BeginAnswer = self._put(self.fast, "begin", ask.version, ask, alike).result()
        return answer

    def path(self, ask: PathAsk) -> PathAnswer:
        """See ``Engine.path``."""
        answer: PathAnswer = self._put(self.slow, "path", ask.version, ask).result()
        return answer

    def audience(self, ask: AudienceAsk) -> AudienceAnswer:
        """See ``Engine.audience``."""
        answer: AudienceAnswer = self._put(self.slow, "audience", ask.version, ask).result()
        return answer

    def card(self, version: str) -> BundleCard:
        """See ``Engine.card``; after it, every worker has the bundle in memory."""
        card: BundleCard = self._put(self.slow, "card", version, version).result()
        # One after the other, so that the others go on.
        for worker in self.fast.workers:
            waiting = Waiting("card", version, card.fingerprint, version, worker=worker)
            self.fast.put(waiting).result()
        return card

    def close(self) -> None:
        """See ``Engine.close``."""
        self.fast.close()
        self.slow.close()
