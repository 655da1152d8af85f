"""Cells of CSV that no spreadsheet calculates."""

import re

# Where a spreadsheet would begin a formula (OWASP, CSV injection): at the beginning of a text,
# also behind characters that cannot be seen; and wherever one that separates cells by
# semicolons or tabs, as in Italy, or that does not see the quotes, begins another cell.
_UNSEEN = r"[\s\u200b-\u200f\u2060\ufeff]"
_SIGNS = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"  # the last four are wide, as in East Asia
_BEGINNINGS = re.compile(rf"(^|[;\t\r\n])(?={_UNSEEN}*{_SIGNS})|^(?=[\t\r\n])")


def safe_cell(text: str) -> str:
    """Return ``text``, with an apostrophe wherever a formula could be taken to begin."""
    return _BEGINNINGS.sub(r"\g<0>'", text)
