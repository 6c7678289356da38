"""What a run leaves behind besides its results."""
from typing import Any


def leave(run: Any, state: Any, results: dict[str, Any]) -> None:
    """Placeholder."""
