"""Errors as visitors see them: problem+json (RFC 9457) from the API, a page of words elsewhere."""

from __future__ import annotations

from typing import Any

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Template

from opendepin.core.errors import DepinError
from opendepin.explorer.errors import NotThere, RequestRejected

TITLES = {
    400: "This request can't be answered",
    404: "Nothing here",
    405: "Not this way",
    429: "Too many at once",
    500: "We are broken",
}
METHODS = "GET, OPTIONS"
"""What every path of the API takes."""


def status_of(error: Exception) -> tuple[int, str, str]:
    """Return HTTP status, stable code and sentence of an error."""
    if isinstance(error, NotThere):
        return 404, error.code, str(error)
    if isinstance(error, RequestRejected):
        return (429 if error.code == "busy" else 400), error.code, str(error)
    if isinstance(error, DepinError):
        return 500, error.code, "the explorer failed to answer; its log says why"
    if isinstance(error, HTTPException):
        codes = {404: "not-found", 405: "method"}
        code = codes.get(error.status_code, "parameter")
        if error.status_code < 500:
            return error.status_code, code, error.detail or TITLES.get(error.status_code, "")
    return 500, "broken", "the explorer failed to answer; its log says why"


def respond(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer an error in the form that fits the path."""
    status, code, detail = status_of(error)
    if status >= 500:
        path = request.url.path
        request.app.state.log.error("not answered", path=path, code=code, exc_info=error)
    title = TITLES.get(status, "This request can't be answered")
    if request.url.path.startswith("/api/"):
        content = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        media = "application/problem+json"
        headers = {"Allow": METHODS} if status == 405 else None
        return Response(
            {**content, "code": code}, status_code=status, media_type=media, headers=headers
        )
    context = {"site": request.app.state.site, "title": title, "detail": detail, "status": status}
    return Template("problem.html", context=context, status_code=status, media_type=MediaType.HTML)
