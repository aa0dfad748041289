"""Django's request, made to tolerate a Content-Type that cannot be parsed."""

from __future__ import annotations

from typing import Any

from django.core.handlers.wsgi import WSGIRequest

from piston.relied_on import rely_on

rely_on(__name__, WSGIRequest, _set_content_type_params="self, meta")


class Request(WSGIRequest):
    """A request that ignores a Content-Type that Django cannot parse.

    Django raises a ValueError for parameters in an unknown encoding (RFC 2231), before any
    middleware runs. The client's mistake would become a 500 with a trace.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # Django has no type for it
        except ValueError:
            meta["CONTENT_TYPE"] = ""
            super()._set_content_type_params(meta)  # type: ignore[misc]
