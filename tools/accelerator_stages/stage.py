"""What a stage is given, and where it puts what it finds."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.atomic import write_text


@dataclasses.dataclass
class Stage:
    """One stage at work.

    Attributes:
        name: of the table in plan.py.
        output: the folder of the whole measurement.
        data: a folder with vgg768.mat and its splits; '' for simulated rows of the same size.
        quick: tiny sizes, to try the command itself.
        platform: of the devices as JAX_PLATFORMS knows it, 'cuda'; '' where it is not known yet.
        deadline: on the clock of time.monotonic, which processes of a machine share.
        found: JSON values by name; `record` adds to them.
    """

    name: str
    output: Path
    data: str
    quick: bool
    platform: str
    deadline: float
    found: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def left(self) -> float:
        """Seconds."""
        return self.deadline - time.monotonic()

    def record(self, **found: Any) -> None:
        """Adds to what is found, and writes all of it: a stage that is cut short leaves what it had."""
        self.found |= found
        write_text(found_file(self.output, self.name), json.dumps(self.found, indent=1) + "\n")

    def note(self, text: str) -> None:
        """A line for whoever reads the results, as of what was left out."""
        self.record(notes=[*self.found.get("notes", []), text])
        print(text, flush=True)

    def to_json(self) -> str:
        """For the process that runs it."""
        return json.dumps(dataclasses.asdict(self) | {"output": str(self.output)})

    @classmethod
    def from_json(cls, text: str) -> "Stage":
        """What `to_json` wrote."""
        values = json.loads(text)
        return cls(**values | {"output": Path(values["output"])})


class NotHereError(UserError):
    """Something a stage needs is not installed, or not on this machine: it is skipped, and this is the line that says why."""


def found_file(output: Path, name: str) -> Path:
    """Where a stage's process writes what it finds."""
    return output / "stages" / f"{name}.json"
