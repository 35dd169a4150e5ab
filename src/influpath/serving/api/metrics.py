"""What Prometheus can ask for: one registry for each application."""

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from influpath.serving.engine.asks import (
    AudienceAnswer,
    AudienceAsk,
    BundleCard,
    Engine,
    PathAnswer,
    PathAsk,
    RateAsk,
    Rating,
    StepAnswer,
    StepAsk,
)
from influpath.serving.engine.begin_asks import BeginAnswer, BeginAsk
from influpath.serving.schemas import Feedback, FeedbackIn, Model, Next

Asked = ParamSpec("Asked")
Answered = TypeVar("Answered")

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counts of what the service does; nothing in them names a user."""

    METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "influpath_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "influpath_request_seconds",
            "From a request's head to the end of its answer.",
            ("route", "method"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._proposals = Counter(
            "influpath_proposals",
            "Answers of POST /v1/next, repeated ones too; by source.",
            ("source",),
            registry=self.registry,
        )
        self._events = Counter(
            "influpath_events",
            "Events of POST /v1/feedback, by kind and by what became of them.",
            ("kind", "status"),
            registry=self.registry,
        )
        self._engine = Histogram(
            "influpath_engine_seconds",
            "How long the engine takes, by what it is asked for.",
            ("ask",),
            buckets=SECONDS,
            registry=self.registry,
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request by its route (as declared, without ids)."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    def proposed(self, answer: Next) -> None:
        """Count one proposal."""
        self._proposals.labels(answer.source).inc()

    def recorded(self, asked: FeedbackIn, answer: Feedback) -> None:
        """Count what became of events."""
        for event, result in zip(asked.events, answer.results, strict=True):
            self._events.labels(event.kind, result.status).inc()

    def timed(self, name: str, function: Callable[Asked, Answered]) -> Callable[Asked, Answered]:
        """Return a function of the engine that is timed under a name."""
        histogram = self._engine.labels(name)

        def run(*args: Asked.args, **kwargs: Asked.kwargs) -> Answered:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                histogram.observe(time.perf_counter() - start)

        return run

    def text(self, models: tuple[Model, ...]) -> bytes:
        """Return everything in Prometheus' text format.

        Args:
            models: Those of the caller's tenant; of other tenants nothing is said.
        """
        own = CollectorRegistry()
        info = Gauge(
            "influpath_model_info",
            "Versions of the model; 1 is the active one.",
            ("version", "fingerprint"),
            registry=own,
        )
        journeys = Gauge(
            "influpath_open_journeys",
            "Users on the way to an objective, by version of the model.",
            ("version",),
            registry=own,
        )
        for model in models:
            info.labels(model.version, model.fingerprint).set(model.active)
            journeys.labels(model.version).set(model.journeys)
        return generate_latest(self.registry) + generate_latest(own)


class TimedEngine:
    """An engine whose every answer is timed."""

    def __init__(self, engine: Engine, metrics: Metrics) -> None:
        self._engine = engine
        self._step = metrics.timed("step", engine.step)
        self._rate = metrics.timed("rate", engine.rate)
        self._begin = metrics.timed("begin", engine.begin)
        self._path = metrics.timed("path", engine.path)
        self._audience = metrics.timed("audience", engine.audience)

    def step(self, ask: StepAsk) -> StepAnswer:
        """Return the next item."""
        return self._step(ask)

    def rate(self, asks: tuple[RateAsk, ...]) -> tuple[Rating, ...]:
        """Return how feasible objectives are."""
        return self._rate(asks)

    def begin(self, ask: BeginAsk) -> BeginAnswer:
        """Return how feasible journeys are, and the first item of the most feasible."""
        return self._begin(ask)

    def path(self, ask: PathAsk) -> PathAnswer:
        """Return a whole path."""
        return self._path(ask)

    def audience(self, ask: AudienceAsk) -> AudienceAnswer:
        """Return who can be led somewhere."""
        return self._audience(ask)

    def card(self, version: str) -> BundleCard:
        """Return what a bundle is."""
        return self._engine.card(version)

    def close(self) -> None:
        """Stop the engine."""
        self._engine.close()
