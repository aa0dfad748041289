"""Chooses the format of an answer, by what the client prefers.

RFC 9110 §12.5.1 lets a server disregard an Accept header that matches no format. That helps
people who type an address into a browser. So a client gets a 406 only if it excludes (`;q=0`)
every format that the endpoint offers.
"""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

NOT_MENTIONED = 0.0001  # below every quality that a client can write, but not excluded
MAX_RANGES = 64  # an Accept header with more is not a browser's


class Negotiation(BaseContentNegotiation):
    """Chooses among a view's renderers by quality; of equal ones, the first in the view's order.

    A renderer may list other names of its format in `also_known_as`. The query `accept=csv` (a
    renderer's `format`, or a media type) takes precedence over the header.
    """

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return None: views read their bodies themselves (`bodies.py`)."""
        return None

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer to use and its media type, or raise NotAcceptable."""
        offers = list(renderers)
        wanted = request.query_params.get("accept", "").strip().lower()
        for renderer in offers:
            if wanted and wanted in {renderer.format, *names_of(renderer)}:
                return renderer, renderer.media_type
        ranges = parse_accept(request.headers.get("Accept", "*/*"))
        qualities = [max(quality_of(name, ranges) for name in names_of(offer)) for offer in offers]
        best = max(qualities)
        if best == 0:
            raise NotAcceptable
        renderer = offers[qualities.index(best)]
        return renderer, renderer.media_type


def names_of(renderer: BaseRenderer) -> tuple[str, ...]:
    """Return the media types that mean this renderer's format."""
    return (renderer.media_type, *getattr(renderer, "also_known_as", ()))


def parse_accept(header: str) -> dict[str, float]:
    """Return {"text/csv": 0.8, "*/*": 0.1}: media ranges in lower case with their qualities."""
    ranges: dict[str, float] = {}
    for entry in header.split(",", MAX_RANGES)[:MAX_RANGES]:
        media_range, *parameters = (word.strip().lower() for word in entry.split(";"))
        if media_range:
            ranges[media_range] = max(read_quality(parameters), ranges.get(media_range, 0.0))
    return ranges


def read_quality(parameters: Iterable[str]) -> float:
    """Return q of one media range, from 0 to 1; 1 if it is absent or invalid."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 1.0
    return 1.0


def quality_of(media_type: str, ranges: dict[str, float]) -> float:
    """Return the quality of `media_type`, by the most specific range that matches it."""
    main_type = media_type.partition("/")[0]
    for media_range in (media_type, f"{main_type}/*", "*/*"):
        if media_range in ranges:
            return ranges[media_range]
    return NOT_MENTIONED
