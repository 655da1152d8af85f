"""What the service tells others about the outcome of a run, in this process.

Each signal is sent once a run, by the process that ran it, after the outcome is in
the database. Receivers get the resource's name as sender and the keywords below.
"""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

sync_completed = _signals.signal("sync-completed")
"""A run completed: ``run_id``, ``session_id``, ``attempts``, ``counts`` (PlanCounts)."""

sync_failure = _signals.signal("sync-failure")
"""A run failed for good: ``run_id``, ``attempts``, ``code``, ``error`` (a sentence)."""

sync_held = _signals.signal("sync-held")
"""A plan was held by a guard: ``run_id``, ``attempts``, ``code``, ``error`` (a sentence)."""
