"""The CSV format of answers, under all its media types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer

CSV_TYPES = ("text/csv", "text/comma-separated-values", "application/octet-stream")


class CSVRenderer(BaseRenderer):
    """Offers CSV to a client that asks for it; views answer with the bytes themselves."""

    media_type = CSV_TYPES[0]
    also_known_as = CSV_TYPES[1:]
    format = "csv"
    charset = None  # the Content-Type is exactly text/csv

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Refuse: views stream a CSV and never render one."""
        raise TypeError("A view answers CSV with a stream, not with Response(data).")
