"""The few functions of PDFium that are called thousands of times a page, made cheap.

pypdfium2 finds and loads the library and declares its whole C interface; its prototypes
make an object of each pointer that they return. With plain addresses a call takes a third
less time, and a page has some thousand calls.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archibald_sync.sources.archibald.layout import Rect

_ADDRESS = ctypes.c_void_p
_THIN = 2.0
_RECTANGLE_SEGMENTS, _MAX_SEGMENTS = 6, 200_000


@dataclass(frozen=True, slots=True)
class Calls:
    """PDFium's functions with plain addresses as arguments; see its headers for each."""

    object_at: Callable[..., int]
    type_of: Callable[..., int]
    bounds_of: Callable[..., int]
    origin_of: Callable[..., int]
    segment_count: Callable[..., int]
    segment_at: Callable[..., int]
    segment_type: Callable[..., int]
    point_of: Callable[..., int]
    matrix_of: Callable[..., int]
    path_type: int
    move_type: int


def calls_of(pdfium: Any) -> Calls:  # noqa: ANN401  # a module of C functions
    """Return the calls of ``pdfium``, which is ``pypdfium2.raw``."""
    pointer, number = _ADDRESS, ctypes.c_int
    return Calls(
        _plain(pdfium.FPDFPage_GetObject, pointer, pointer, number),
        _plain(pdfium.FPDFPageObj_GetType, number, pointer),
        _plain(pdfium.FPDFPageObj_GetBounds, number, *[pointer] * 5),
        _plain(pdfium.FPDFText_GetCharOrigin, number, pointer, number, pointer, pointer),
        _plain(pdfium.FPDFPath_CountSegments, number, pointer),
        _plain(pdfium.FPDFPath_GetPathSegment, pointer, pointer, number),
        _plain(pdfium.FPDFPathSegment_GetType, number, pointer),
        _plain(pdfium.FPDFPathSegment_GetPoint, number, *[pointer] * 3),
        _plain(pdfium.FPDFPageObj_GetMatrix, number, pointer, pointer),
        pdfium.FPDF_PAGEOBJ_PATH,
        pdfium.FPDF_SEGMENT_MOVETO,
    )


def address_of(handle: Any) -> ctypes.c_void_p:  # noqa: ANN401  # a pointer of ctypes
    """Return a handle as a plain address."""
    return ctypes.cast(handle, _ADDRESS)


class Origins:
    """Where the characters of a page begin."""

    def __init__(self, calls: Calls, text_page: ctypes.c_void_p) -> None:
        """Prepare for the open ``text_page``."""
        self._origin_of, self._text_page = calls.origin_of, text_page
        self._point = (ctypes.c_double * 2)()
        begin = ctypes.addressof(self._point)
        self._x, self._y = _ADDRESS(begin), _ADDRESS(begin + ctypes.sizeof(ctypes.c_double))

    def __call__(self, index: int) -> list[float]:
        """Return x and y of character ``index``: the left end of its baseline."""
        self._origin_of(self._text_page, index, self._x, self._y)
        return self._point[:]


def boxes(calls: Calls, page: ctypes.c_void_p, count: int) -> Iterator[Rect]:
    """Yield the boxes of the paths among the ``count`` objects of a page."""
    box = (ctypes.c_float * 4)()
    begin, step = ctypes.addressof(box), ctypes.sizeof(ctypes.c_float)
    left, bottom, right, top = (_ADDRESS(begin + index * step) for index in range(4))
    object_at, type_of, bounds_of = calls.object_at, calls.type_of, calls.bounds_of
    path_type = calls.path_type
    for index in range(count):
        item = object_at(page, index)
        if type_of(item) == path_type and bounds_of(item, left, bottom, right, top):
            if box[2] - box[0] > _THIN and box[3] - box[1] > _THIN:
                yield from _parts(calls, item) or [box[:]]
            else:
                yield box[:]


def _parts(calls: Calls, item: int) -> list[Rect]:
    """Return the boxes of the rectangles that a path is made of, if it is more than one."""
    count = calls.segment_count(item)
    if not _RECTANGLE_SEGMENTS < count <= _MAX_SEGMENTS:
        return []
    matrix, point = (ctypes.c_float * 6)(), (ctypes.c_float * 2)()
    calls.matrix_of(item, ctypes.addressof(matrix))
    a, b, c, d, e, f = matrix
    begin = ctypes.addressof(point)
    parts: list[list[tuple[float, float]]] = []
    for index in range(count):
        segment = calls.segment_at(item, index)
        calls.point_of(segment, begin, begin + ctypes.sizeof(ctypes.c_float))
        if not parts or calls.segment_type(segment) == calls.move_type:
            parts.append([])
        x, y = point
        parts[-1].append((a * x + c * y + e, b * x + d * y + f))
    return [_around(points) for points in parts]


def _around(points: list[tuple[float, float]]) -> Rect:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _plain(function: Any, result: Any, *arguments: Any) -> Callable[..., int]:  # noqa: ANN401  # ctypes
    address = ctypes.cast(function, _ADDRESS).value
    return ctypes.CFUNCTYPE(result, *arguments)(address)  # type: ignore[arg-type]  # never null
