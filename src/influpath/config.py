"""Frozen configuration models that round-trip through TOML and JSON."""

import tomllib
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from influpath.errors import ConfigError


class FrozenConfig(BaseModel):
    """Base of every configuration: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def parse(cls, values: dict[str, Any], where: str) -> Self:
        """Validate ``values``.

        Args:
            values: Keys and values as read from TOML, JSON or keywords.
            where: Names the source in the error, such as a file name.

        Raises:
            ConfigError: One sentence that names every offending key.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(f"{where}: {describe(error)}.") from None

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read and validate a TOML file.

        Raises:
            ConfigError: The file is missing, is no TOML, or holds a wrong value.
        """
        return cls.parse(read_toml(path), str(path))

    def every_setting(self) -> dict[str, Any]:
        """Return all fields as plain values, those that are written only where set among them."""
        values = self.model_dump(mode="json")
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, FrozenConfig):
                values[name] = value.every_setting()
            else:
                values.setdefault(name, value)
        return values

    def to_toml(self) -> str:
        """Return the configuration as TOML text (unset optional values are left out)."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def later(default: Any, **settings: Any) -> Any:
    """Return a field that came after results were published: it is written only where it is set.

    What is named by a hash of its configuration then keeps its name.

    Args:
        default: What leaves everything as it was before the field.
        settings: Further arguments of pydantic's ``Field``.
    """
    return Field(default=default, exclude_if=lambda value: value == default, **settings)


def describe(error: ValidationError) -> str:
    """Turn a pydantic error into one clause per offending key."""
    clauses = []
    for detail in error.errors(include_url=False):
        key = ".".join(str(part) for part in detail["loc"]) or "configuration"
        given = detail.get("input")
        shown = "" if isinstance(given, dict) else f" (given: {given!r})"
        clauses.append(f"{key}: {detail['msg']}{shown}")
    return "; ".join(clauses)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file into plain values.

    Raises:
        ConfigError: The file is missing or is not valid TOML.
    """
    path = Path(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: cannot be read as TOML ({error}).") from None
