"""The ways in which the demo ERP can be made to fail, each as real ones do."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

FAULTS: dict[str, str] = {
    "status": "answers with `status` (and `retryAfter`)",
    "throttle": "answers 429 (and `retryAfter`) while more than `parallel` requests are open",
    "cut": "announces the whole body and closes the connection half-way",
    "cut-headers": "closes the connection within the headers",
    "cut-silently": "sends half of the body without a length, and closes",
    "reset": "resets the connection",
    "slow": "waits `seconds` before it answers",
    "slow-body": "sends one byte each `seconds`",
    "login-page": "answers 200 with the login page",
    "html-error": "answers 200 with an error page",
    "empty-body": "answers 200 with nothing",
    "invalid-json": "answers 200 with damaged JSON",
    "empty": "delivers no product, and says so",
    "filtered": "delivers only `rows` products, and looks perfect",
    "short-page": "leaves one product of a page out (of `sheet` of the PDF)",
    "duplicated": "delivers the first product of a page twice",
    "renamed": "calls NAME by another name",
    "hidden": "leaves the column `column` out",
    "additional": "adds the column `column`",
    "wrong-key-type": "delivers `value` in the place of the first key of a page",
    "bad-value": "delivers `value` in `column` of all products of a page",
    "deep": "nests 200,000 lists",
    "gzip": "compresses its answers",
    "gzip-bomb": "sends a small body that inflates to 200 MB",
    "endless-next": "leads on to the same page for ever",
    "redirect": "redirects to `location`",
    "volatile": "stamps every product anew in each answer",
    "english": "heads the columns in English",
    "reordered": "has the columns in the reverse order",
    "cut-line": "ends in the middle of the last line, and looks perfect",
    "wrong-total": "announces one product more than there are",
    "session-expiry": "ends all sessions before it answers",
    "shown": "shows the column `column` that is hidden otherwise",
    "no-footer": "leaves the footer of the PDF out",
    "dropped-page": "leaves page `sheet` of the PDF out, else the last",
    "truncated-pdf": "delivers the first half of the PDF as if it were all",
    "damaged-pdf": "delivers a PDF of which the inner part is lost",
}
_OPTIONS: dict[str, type | tuple[type, ...]] = {
    "status": int,
    "retryAfter": (int, str),
    "parallel": int,
    "seconds": (int, float),
    "rows": int,
    "column": str,
    "value": object,
    "location": str,
    "page": int,
    "sheet": int,
    "times": int,
}


@dataclass(slots=True)
class Fault:
    """One fault: at ``page`` only (None: at all), ``times`` times (None: until cleared)."""

    name: str
    page: int | None = None
    times: int | None = None
    options: dict[str, Any] = field(default_factory=dict)


class FaultSwitches:
    """The faults that are switched on."""

    def __init__(self) -> None:
        """Begin without any."""
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def switch_on(self, name: str, **options: Any) -> None:  # noqa: ANN401  # values of JSON
        """Switch a fault on.

        Raises:
            ValueError: The fault or an option is unknown, or an option has another type.
        """
        if name not in FAULTS:
            raise ValueError(f"fault: {name!r} is unknown; known: {', '.join(FAULTS)}")
        for key, value in options.items():
            if key not in _OPTIONS:
                raise ValueError(f"{key}: unknown option; known: {', '.join(_OPTIONS)}")
            is_number = isinstance(value, bool) or not isinstance(value, _OPTIONS[key])
            if key != "value" and is_number:
                raise ValueError(f"{key}: {value!r} has the wrong type")
        page, times = options.pop("page", None), options.pop("times", None)
        with self._lock:
            self._faults.append(Fault(name, page, times, options))

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._faults.clear()

    def names(self) -> list[str]:
        """Return the names of the faults that are switched on."""
        with self._lock:
            return [fault.name for fault in self._faults]

    def taking_effect(self, page: int) -> dict[str, dict[str, Any]]:
        """Return the faults that hit this answer, with their options, and count them."""
        hits: dict[str, dict[str, Any]] = {}
        with self._lock:
            for fault in list(self._faults):
                if fault.page not in {None, page}:
                    continue
                hits[fault.name] = fault.options
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
        return hits
