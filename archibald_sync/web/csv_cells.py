"""Cells of CSV that no spreadsheet calculates."""

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(text: str) -> str:
    """Return ``text``, with an apostrophe before it where it could be taken for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_SIGNS) else text
