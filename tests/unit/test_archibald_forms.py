"""The forms of a page, and what tells a login page from others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archibald_sync.sources.archibald.forms import (
    Form,
    forms_of,
    is_error_page,
    is_html,
    login_form,
)

PAGE = """<html><input type=hidden name=outside value=1>
<form action="Login.aspx?a=1&amp;b=2" method=post>
<INPUT TYPE="HIDDEN" name="__VIEWSTATE" value="a&quot;b"><input type=hidden value=nameless>
<input name=user><input type="password" name="pw"><input type=submit name=go value="Entra">
<input type=submit name=cancel value="No"><input type=checkbox name=keep>
</form><form action="/other"><input type=text name=q></form></html>"""


def test_forms_are_read_as_a_browser_does() -> None:
    """Hidden fields with their values, names of fields to fill in, and the first button."""
    login, other = forms_of(PAGE)

    assert login == Form(
        "Login.aspx?a=1&b=2", {"__VIEWSTATE": 'a"b'}, ["user"], ["pw"], {"go": "Entra"}
    )
    assert other == Form("/other", texts=["q"])


def test_login_page_is_known_by_its_password_field() -> None:
    """A page that asks for a password is a login page, any other is not."""
    assert login_form(PAGE) is not None
    assert login_form("<form><input type=text name=q></form>") is None
    assert login_form("<input type=password name=outside>") is None


def test_pages_and_files() -> None:
    """Markup begins with an angle bracket, after a mark and spaces perhaps."""
    assert is_html(b"\xef\xbb\xbf\r\n <!DOCTYPE html>")
    assert not is_html(b"%PDF-1.4")
    assert not is_html(b"")
    assert is_error_page("<p>The Requested Objects cannot be loaded.")


@given(st.text(st.sampled_from("<>/=\"' abinputformtypepasswordhidden&;!-[]")))
def test_damaged_pages_are_read_as_far_as_possible(page: str) -> None:
    """No page makes the reader fail."""
    assert isinstance(forms_of(page), list)
