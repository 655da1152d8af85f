"""The use cases: no Flask, no SQL, no HTTP; everything from outside comes through ports."""
