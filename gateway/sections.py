"""What every section of the configuration is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

ID = r"^[a-z0-9][a-z0-9-]{0,31}$"


class Section(BaseModel):
    """Typed, frozen, and without keys that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def mistake(kind: str) -> PydanticCustomError:
    """What a value should have been: the message `expected.<kind>`."""
    return PydanticCustomError(kind, kind)  # type: ignore[arg-type]
