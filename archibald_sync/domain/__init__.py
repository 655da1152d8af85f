"""What the service knows about its subject: no I/O, no libraries, only rules and values."""
