"""What a search may try, and how optuna draws it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from influpath.errors import ConfigError

Settings = dict[str, float]


@dataclass(frozen=True)
class Space:
    """What may be tried.

    Attributes:
        values: Values by setting, in their order.
        ranges: Lower and upper end by setting, drawn evenly on a logarithmic scale.
        divisors: Settings of ``values`` that must divide another: {"heads": "d"}.
    """

    values: Mapping[str, Sequence[float]]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    divisors: Mapping[str, str] = field(default_factory=dict)

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return what optuna draws: places in the lists of values.

        For a divisor it is a place between 0 and 1 in the list of those that divide, since optuna
        wants the same choices in every trial.
        """
        found: dict[str, BaseDistribution] = {}
        for name, values in self.values.items():
            found[name] = (
                FloatDistribution(0.0, 1.0)
                if name in self.divisors
                else IntDistribution(0, len(values) - 1)
            )
        for name, (low, high) in self.ranges.items():
            found[name] = FloatDistribution(low, high, log=True)
        return found

    def settings_of(self, params: Mapping[str, Any]) -> Settings:
        """Return the settings that optuna's draw stands for; ranges to three digits."""
        settings = {name: float(f"{params[name]:.3g}") for name in self.ranges}
        for name, values in self.values.items():
            if name not in self.divisors:
                settings[name] = values[params[name]]
        for name in self.divisors:
            allowed = self.allowed(name, settings)
            settings[name] = allowed[min(int(params[name] * len(allowed)), len(allowed) - 1)]
        return {name: settings[name] for name in (*self.values, *self.ranges)}

    def params_of(self, settings: Settings) -> dict[str, float]:
        """Return the draw that gives these settings.

        Raises:
            ConfigError: They are not in the space.
        """
        params: dict[str, float] = {}
        for name in (*self.values, *self.ranges):
            value = settings[name]
            if name in self.ranges:
                low, high = self.ranges[name]
                inside = low <= value <= high
                params[name] = value
            else:
                allowed = self.allowed(name, settings)
                inside = value in allowed
                place = allowed.index(value) if inside else 0
                params[name] = (place + 0.5) / len(allowed) if name in self.divisors else place
            if not inside:
                raise ConfigError(f"search: {name} = {value:g} is outside of what is searched.")
        return params

    def allowed(self, name: str, settings: Settings) -> list[float]:
        """Return the values of a setting that go with the others."""
        whole = settings[self.divisors[name]] if name in self.divisors else 0
        return [
            value for value in self.values[name] if name not in self.divisors or not whole % value
        ]
