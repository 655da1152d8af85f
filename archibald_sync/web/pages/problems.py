"""What the API finds wrong, in the language of the viewer: it speaks English to all.

Only sentences that a person can cause on a page stand here; others are shown as they are.
"""

from __future__ import annotations

import re

from archibald_sync.web.pages.language import gettext, language, later

# As the API says them; %s stands for a value.
SENTENCES = (
    later("expected 1 to 64 letters, digits, dots, dashes, underscores or @"),
    later("expected a whole number of days from %s to %s"),
    later("expected at most %s, as %s is"),
    later("expected %s to %s characters"),
    later("there is a user %s already"),
    later("there is a key %s already; revoke it first"),
    later("there is no such key in force"),
    later("there is no such lease in force"),
    later("no user %s; `archibald-sync user list` shows all"),
    later("this is the last admin; add another one first"),
    later("this is not your password"),
    later("too many logins; try again in %s s"),
    later("this needs the role %s; yours is %s"),
    later("the database is busy; try again in a moment"),
    later("nothing can be written now: no room, or no permission"),
    later("the database cannot be used now; the log says why"),
)


def patterns() -> list[tuple[str, str]]:
    """Return (regular expression, sentence with %s) of each translation, for the script."""
    if language() == "en":
        return []
    return [(_pattern(one), gettext(one)) for one in SENTENCES]


def spoken(text: str) -> str:
    """Return what the API says in the language of this request, where that is known."""
    for pattern, sentence in patterns():
        if found := re.fullmatch(pattern, text):
            return sentence % found.groups()
    return text


def _pattern(sentence: str) -> str:
    """Return the regular expression, for Python and JavaScript alike, of a sentence."""
    return sentence.replace(".", r"\.").replace("%s", "(.+?)")
