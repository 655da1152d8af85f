"""Who drives the schedule, and when: ownership, the interval job, intents, the clock."""
