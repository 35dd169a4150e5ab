"""An engine that answers in the process it lives in."""

from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TypeVar

from influpath.errors import InfluPathError, ModelFileError
from influpath.serving.bundles.bundle import Bundle
from influpath.serving.bundles.names import check_version
from influpath.serving.engine.asks import (
    AudienceAnswer,
    AudienceAsk,
    BundleCard,
    EngineError,
    PathAnswer,
    PathAsk,
    RateAsk,
    Rating,
    StepAnswer,
    StepAsk,
)
from influpath.serving.engine.audiences import answer_audience
from influpath.serving.engine.begin_asks import BeginAnswer, BeginAsk
from influpath.serving.engine.begins import begin
from influpath.serving.engine.loaded import Loaded
from influpath.serving.engine.paths import answer_path
from influpath.serving.engine.ratings import rate
from influpath.serving.engine.steps import answer_group, group_of

Given = TypeVar("Given")


class LocalEngine:
    """Answers in process; see ``Engine``.

    Args:
        bundles: The folder of bundles.
        loaded: So many are held in memory; of others the one not used for longest is dropped.
    """

    def __init__(self, bundles: str | Path, loaded: int = 3) -> None:
        self.bundles = Path(bundles)
        self.room = loaded
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._fingerprints: dict[str, str] = {}
        self._lock = Lock()
        self._loading: defaultdict[str, Lock] = defaultdict(Lock)
        self._closed = False

    def load(self, version: str, fingerprint: str | None = None) -> Loaded:
        """Return a bundle, read from its folder where it is not in memory.

        Args:
            version: Its name.
            fingerprint: What it must be, if given.

        Raises:
            ModelFileError: It is missing or damaged, or is another than it was.
        """
        with self._lock:
            if self._closed:
                raise EngineError("the engine was closed.")
            found = self._touch(version)
            loading = self._loading[version]
        if found is None:
            # Others go on meanwhile.
            with loading:
                with self._lock:
                    found = self._touch(version)
                if found is None:
                    found = self._read(version)
        wanted = fingerprint or self._fingerprints[version]
        if found.bundle.fingerprint != wanted:
            raise ModelFileError(
                f"bundle {version}: is another than it was before under this name; publish it "
                "as a version of its own."
            )
        return found

    def _touch(self, version: str) -> Loaded | None:
        found = self._loaded.get(version)
        if found is not None:
            self._loaded.move_to_end(version)
        return found

    def _read(self, version: str) -> Loaded:
        check_version(version)
        found = Loaded(version, Bundle.load(self.bundles / version))
        found.prepare()
        with self._lock:
            self._fingerprints.setdefault(version, found.bundle.fingerprint)
            if found.bundle.fingerprint == self._fingerprints[version]:
                self._loaded[version] = found
                while len(self._loaded) > self.room:
                    self._loaded.popitem(last=False)
        return found

    def steps(self, asks: Sequence[StepAsk]) -> list[StepAnswer | InfluPathError]:
        """Answer several asks, those that can go on together in one session.

        Returns:
            What each of them gets: an answer, or its own error.
        """
        groups: defaultdict[tuple[str, bool, int, int], list[int]] = defaultdict(list)
        for place, ask in enumerate(asks):
            groups[group_of(ask)].append(place)
        answers: list[StepAnswer | InfluPathError] = [StepAnswer(None)] * len(asks)
        for (version, *_), places in groups.items():
            found: Sequence[StepAnswer | InfluPathError]
            try:
                found = answer_group(self.load(version), [asks[place] for place in places])
            except InfluPathError as cause:
                found = [cause] * len(places)
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
        return answers

    def step(self, ask: StepAsk) -> StepAnswer:
        """See ``Engine.step``."""
        (answer,) = self.steps([ask])
        if isinstance(answer, InfluPathError):
            raise answer
        return answer

    def rate(self, asks: tuple[RateAsk, ...]) -> tuple[Rating, ...]:
        """See ``Engine.rate``."""
        groups: defaultdict[str, list[int]] = defaultdict(list)
        for place, ask in enumerate(asks):
            groups[ask.version].append(place)
        found = {
            place: rating
            for version, places in groups.items()
            for place, rating in zip(
                places, rate(self.load(version), [asks[place] for place in places]), strict=True
            )
        }
        return tuple(found[place] for place in range(len(asks)))

    def begins(self, asks: Sequence[BeginAsk]) -> list[BeginAnswer]:
        """Answer several people at once.

        Raises:
            InfluPathError: Any of them is asked wrongly.
        """
        groups: defaultdict[str, list[int]] = defaultdict(list)
        for place, ask in enumerate(asks):
            groups[ask.version].append(place)
        found = {
            place: answer
            for version, places in groups.items()
            for place, answer in zip(
                places, begin(self.load(version), [asks[place] for place in places]), strict=True
            )
        }
        return [found[place] for place in range(len(asks))]

    def begin(self, ask: BeginAsk) -> BeginAnswer:
        """See ``Engine.begin``."""
        return self.begins([ask])[0]

    def path(self, ask: PathAsk) -> PathAnswer:
        """See ``Engine.path``."""
        return answer_path(self.load(ask.version), ask)

    def audience(self, ask: AudienceAsk) -> AudienceAnswer:
        """See ``Engine.audience``."""
        return answer_audience(self.load(ask.version), ask)

    def card(self, version: str) -> BundleCard:
        """See ``Engine.card``."""
        return self.load(version).card

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._lock:
            self._closed = True
            self._loaded.clear()
