"""What schemathesis leaves alone while it tries the API: the user in whose name it asks.

It learns that name from answers, and an admin may disable itself: all that follows would be
asked by nobody.
"""

from __future__ import annotations

import os
from typing import Any

import schemathesis

ASKER = "CONTRACT_ASKER"
_ANOTHER = "somebody-else"


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:  # noqa: ANN401  # as it calls hooks
    """Ask about another user in the place of the asker."""
    if case.path_parameters and case.path_parameters.get("name") == os.environ.get(ASKER):
        case.path_parameters["name"] = _ANOTHER
