"""The Archibald face: a form to log in with, a list view, and its export as PDF.

Faults count requests here, not pages: 0 is the login page, 1 the list view, 2 the export.
"""

from __future__ import annotations

from html import escape
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from archibald_sync.demo.archibald_export import exported
from archibald_sync.demo.archibald_pdf import NoPdfError
from archibald_sync.demo.archibald_sessions import AUTH_COOKIE, SESSION_COOKIE

if TYPE_CHECKING:
    from archibald_sync.demo.exchange import Exchange, Hits

Fields = dict[str, str]

ROOT = "/Archibald/"
LOGIN, LIST = f"{ROOT}Login.aspx", f"{ROOT}INVENTTABLE_ListView/"
_USER, _PASSWORD, _BUTTON = "Logon$UserName_Edit", "Logon$Password_Edit", "Logon$Button"
_EXPORT = {"__EVENTTARGET": "Menu$ExportTo", "__EVENTARGUMENT": "Pdf"}


def serves(path: str) -> bool:
    """Return whether this face answers requests for ``path``."""
    return path in {ROOT, LOGIN, LIST}


def answer(exchange: Exchange) -> None:
    """Answer a request, or as the faults make it."""
    is_post = exchange.method == "POST"
    step = 0 if exchange.path == LOGIN else 2 if is_post else 1
    hits = exchange.erp.faults.taking_effect(step)
    form = dict(parse_qsl(exchange.body().decode("utf-8", "replace"))) if is_post else {}
    if "session-expiry" in hits:
        exchange.erp.archibald.expire()
    if exchange.is_refused(hits):
        return
    cookies = _cookies(exchange)
    if exchange.path == LOGIN:
        enter = _log_in if is_post else _show_login
        enter(exchange, cookies, form)
    elif not exchange.erp.archibald.is_logged_in(cookies):
        _turn_away(exchange, cookies)
    elif is_post:
        _export(exchange, cookies, form, hits)
    else:
        _show_list(exchange, cookies)


def _show_login(exchange: Exchange, cookies: Fields, _form: Fields, message: str = "") -> None:
    sessions, name = exchange.erp.archibald, cookies.get(SESSION_COOKIE, "")
    extra = {}
    if not sessions.has(name):
        name = sessions.begin()
        extra = {"Set-Cookie": f"{SESSION_COOKIE}={name}; path=/; HttpOnly; SameSite=Lax"}
    back = quote(exchange.query.get("ReturnUrl", LIST), safe="")
    _page(
        exchange,
        f"""<form method="post" action="./Login.aspx?ReturnUrl={back}" id="form1">
{_hidden(sessions.new_form(name))}
<p>{escape(message)}</p>
<input name="{_USER}" type="text"><input name="{_PASSWORD}" type="password">
<input type="submit" name="{_BUTTON}" value="Accedi">
</form>""",
        extra,
    )


def _log_in(exchange: Exchange, cookies: Fields, form: Fields) -> None:
    sessions, name = exchange.erp.archibald, cookies.get(SESSION_COOKIE, "")
    if not sessions.is_form(name, form) or _BUTTON not in form:
        exchange.send(500, b"<html><body>Invalid postback.</body></html>", "text/html", {})
        return
    auth = sessions.log_in(name, form.get(_USER, ""), form.get(_PASSWORD, ""))
    if auth is None:
        _show_login(exchange, cookies, form, "Nome utente o password non validi")
        return
    back = exchange.query.get("ReturnUrl", LIST)
    where = back if back.startswith(ROOT) else LIST
    extra = {"Location": where, "Set-Cookie": f"{AUTH_COOKIE}={auth}; path=/; HttpOnly"}
    exchange.send(302, b"", "text/html", extra)


def _turn_away(exchange: Exchange, cookies: Fields) -> None:
    """Answer as the ERP does once a session has ended: with the login page, or the way there."""
    if AUTH_COOKIE in cookies:
        _show_login(exchange, cookies, {})
    else:
        where = f"{LOGIN}?ReturnUrl={quote(exchange.path, safe='')}"
        exchange.send(302, b"", "text/html", {"Location": where})


def _show_list(exchange: Exchange, cookies: Fields) -> None:
    fields = exchange.erp.archibald.new_form(cookies[SESSION_COOKIE])
    fields |= {"__EVENTTARGET": "", "__EVENTARGUMENT": ""}
    _page(
        exchange,
        f"""<form method="post" action="./" id="form2">
{_hidden(fields)}
<input type="text" name="Search$Edit" value="">
<div id="Menu">Esporta</div><table><tr><td>Articoli</td></tr></table>
</form>""",
        {},
    )


def _export(exchange: Exchange, cookies: Fields, form: Fields, hits: Hits) -> None:
    is_known = exchange.erp.archibald.is_form(cookies[SESSION_COOKIE], form)
    if not is_known or not _EXPORT.items() <= form.items():
        _show_list(exchange, cookies)
        return
    is_english = not exchange.headers.get("Accept-Language", "").startswith("it")
    try:
        body = exported(exchange.erp, hits, is_english=is_english or "english" in hits)
    except NoPdfError as exc:
        exchange.send(501, str(exc).encode(), "text/plain", {})
        return
    extra = {"Content-Disposition": 'attachment; filename="INVENTTABLE.pdf"'}
    exchange.deliver(body, hits, "application/pdf", extra)


def _page(exchange: Exchange, content: str, extra: Fields) -> None:
    page = (
        f"<!DOCTYPE html><html><head><title>Archibald</title></head><body>{content}</body></html>"
    )
    exchange.send(200, page.encode(), "text/html; charset=utf-8", extra)


def _hidden(fields: Fields) -> str:
    return "\n".join(
        f'<input type="hidden" name="{name}" id="{name}" value="{escape(value)}" />'
        for name, value in fields.items()
    )


def _cookies(exchange: Exchange) -> Fields:
    try:
        jar = SimpleCookie(exchange.headers.get("Cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}
