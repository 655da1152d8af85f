"""What happened, and what to do about it: a table from the stable codes of errors.

The sentence of an error tells what exactly went wrong, once, in English, as it was recorded;
what is here is the same for every run and in the language of whoever reads it. The longer
text stands in docs/operating.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.language import later


@dataclass(frozen=True, slots=True)
class Advice:
    """What a family of codes means, and what helps."""

    what: str
    todo: str


_GENERAL_TODO = later(
    "Read the sentence above and the log below. archibald-sync check asks the ERP again. If it "
    "comes back with every run, show this page to whoever looks after the service."
)

_AWAY = Advice(
    later("The ERP could not be reached, or broke off in the middle."),
    later(
        "Usually this passes, and the next run comes by itself. If it lasts: is the ERP up, and "
        "the network to it? archibald-sync check asks it again."
    ),
)
_LOGIN = Advice(
    later("The ERP refused the login."),
    later(
        "It was not tried again, so that the account is not locked. Check the credentials that "
        "source.toml names, and whether the account may see the list; then archibald-sync check."
    ),
)
_LOGIN_BUDGET = Advice(
    later("The logins of today are used up."),
    later(
        "The ERP blocks clients that log in too often, so their number is limited. Find out what "
        "ends the sessions so soon; the sentence above says when a login is free again."
    ),
)
_COLUMNS = Advice(
    later("The list of the ERP has other columns than agreed."),
    later(
        "Show the columns that the sentence above names in the ERP's list again, or correct the "
        "mapping in source.toml."
    ),
)
_LANGUAGE = Advice(
    later("The ERP answered in another language."),
    later("Put the language back in the ERP's profile, or correct language in source.toml."),
)
_FORM = Advice(
    later("The ERP answered, but not in the agreed form."),
    later(
        "Was the ERP updated, or did an address change? Open by hand what the service reads, and "
        "compare it with source.toml; archibald-sync check tells more."
    ),
)
_INCOMPLETE = Advice(
    later("What the ERP delivered was not complete."),
    later(
        "Nothing of it was used. If it happens again, export the list by hand and look whether "
        "it is whole."
    ),
)
_FILE = Advice(
    later("The file of the ERP is missing, or not fit to be read."),
    later("Look at what writes the file: did it run, and to its end? May the service read it?"),
)
_ADDRESS = Advice(
    later("The address of the ERP does not work as agreed."),
    later("Check url in source.toml, and the certificate of the server."),
)
_LIMITS = Advice(
    later("The list is larger than the limits allow."),
    later(
        "If that is right, raise the limit in source.toml that the sentence above names; if not, "
        "look at the list."
    ),
)
_MACHINE = Advice(
    later("The machine of the service could not do its part."),
    later("Look for room on the disk, for memory, and for the permissions of its folder."),
)
_BUSY = Advice(
    later("Another program held the database for too long."),
    later("Usually this passes. Look which program reads or copies the database file."),
)
_DAMAGED = Advice(
    later("The database file is damaged, or of a newer version."),
    later("Restore a copy, or install the newer version again: docs/operating.md says how."),
)
_PRIORITY = Advice(
    later("It gave way to work with priority."),
    later("Nothing to do: it goes on by itself as soon as nobody goes first."),
)
_DEADLINE = Advice(
    later("It took longer than a run may, or came no further."),
    later(
        "The next run comes by itself. If it happens again, the ERP is slow or hangs: look how "
        "long its list takes by hand."
    ),
)
_CANCELLED = Advice(
    later("Somebody cancelled it."),
    later("The schedule was stopped with it: start it again when syncs are welcome."),
)
_STOPPED = Advice(
    later("The schedule was stopped before its next attempt."),
    later("Start the schedule again when syncs are welcome."),
)
_SHUTDOWN = Advice(
    later("The service shut down in the middle."),
    later("Nothing to do: nothing was written, and it runs again when the service is back."),
)
_LOST = Advice(
    later("Its process ended in the middle."),
    later(
        "Nothing was written, and the next run comes by itself. If it happens again, look at the "
        "log of the service, and whether the machine is short of memory."
    ),
)
_UNFORESEEN = Advice(
    later("Something went wrong that nobody foresaw."),
    later("The log of the service has the details: give them to whoever looks after it."),
)
_IN_PROGRESS = Advice(
    later("Another run was at work."),
    later(
        "Nothing to do if it is rare. If runs often last longer than the interval, choose a "
        "longer interval."
    ),
)
_NOT_DRIVEN = Advice(
    later("No process drove the schedule."),
    later("Was the service stopped, or its machine off? One run made up for what was left out."),
)
_REFUSED = Advice(
    later("What was asked for cannot be done."),
    later("The sentence above says why, and what to do instead."),
)
_HELD = Advice(
    later("The plan looked wrong, so nothing of it was written."),
    later(
        "Look at the plan, and at the ERP: a filter, a failed export, hidden columns. When it is "
        "mended the next run goes on. If the list is right, an admin approves the plan, once."
    ),
)

_FAMILIES: tuple[tuple[Advice, str], ...] = (
    (
        _AWAY,
        (
            "source_failed source_unavailable source_connect source_timeout source_cut "
            "source_empty_body source_login_busy source_error_page source_http_408 source_http_425 "
            "source_http_429"
        ),
    ),
    (
        _LOGIN,
        ("source_auth source_login_page source_login_refused source_http_401 source_http_403"),
    ),
    (_LOGIN_BUDGET, "source_login_budget"),
    (
        _COLUMNS,
        (
            "source_column_missing source_column_twice source_column_duplicate source_pdf_columns "
            "source_query source_http_400"
        ),
    ),
    (_LANGUAGE, "source_language"),
    (
        _FORM,
        (
            "source_format source_validator source_shape source_key_type source_json source_record "
            "source_no_records source_count source_cursor source_encoding source_html "
            "source_not_pdf source_list_view source_login_form source_pdf_layout "
            "source_pdf_key_wraps source_csv source_row_width source_no_header source_nul "
            "source_line_too_long source_text_encoding source_cell_error source_not_xlsx "
            "source_xls source_xlsx source_sheet_missing source_zip"
        ),
    ),
    (
        _INCOMPLETE,
        (
            "source_pdf_count source_pdf_cut source_pdf_damaged source_pdf_footer_missing "
            "source_pdf_pages source_pdf_rows source_changed source_checksum source_no_length"
        ),
    ),
    (
        _FILE,
        (
            "source_file_busy source_file_changed source_file_empty source_file_forbidden "
            "source_file_kind source_file_missing source_file_not_ready source_file_stale "
            "source_file_unreadable"
        ),
    ),
    (
        _ADDRESS,
        (
            "source_rejected source_request source_redirect source_tls source_http_404 "
            "source_http_410"
        ),
    ),
    (
        _LIMITS,
        (
            "source_too_large source_too_many_rows source_endless source_zip_bomb "
            "source_reader_cpu source_reader_memory source_reader_memory_limit"
        ),
    ),
    (
        _MACHINE,
        (
            "source_scratch source_export_file source_session_file source_reader_start "
            "source_reader_failed source_reader_crashed source_reader_limits "
            "storage_full storage_failed"
        ),
    ),
    (_BUSY, "storage_busy"),
    (_DAMAGED, "storage_corrupt schema_version"),
    (_PRIORITY, "priority"),
    (_DEADLINE, "deadline"),
    (_CANCELLED, "requested"),
    (_STOPPED, "stopped"),
    (_SHUTDOWN, "shutdown"),
    (_LOST, "owner_lost fenced"),
    (_UNFORESEEN, "internal_error"),
    (_IN_PROGRESS, "sync_in_progress"),
    (_NOT_DRIVEN, "not_driven"),
    (_REFUSED, "not_completed log_too_short not_found"),
    (
        _HELD,
        (
            "held empty_extract total_mismatch duplicate_keys rejected_rows too_few_rows "
            "too_many_deleted too_many_updated coverage_lost approval_mismatch"
        ),
    ),
)
ADVICE = {code: advice for advice, codes in _FAMILIES for code in codes.split()}


def what(code: str | None) -> str | None:
    """Return in one sentence what ``code`` stands for; None where nobody knows it."""
    found = _find(code)
    return _(found.what) if found else None


def todo(code: str | None) -> str | None:
    """Return what to do about ``code``: in general where it is unknown, None without any."""
    if code is None:
        return None
    found = _find(code)
    return _(found.todo if found else _GENERAL_TODO)


def _find(code: str | None) -> Advice | None:
    """Return the advice; servers that answer 5xx are away, other unknown statuses no address."""
    found = ADVICE.get(code or "")
    if found is None and code and code.startswith("source_http_"):
        return _AWAY if code.startswith("source_http_5") else _ADDRESS
    return found
