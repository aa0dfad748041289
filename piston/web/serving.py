"""What does a request bring to the application beside what gunicorn gives it? A holder."""

from __future__ import annotations

from typing import Any

from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.wsgi import Response  # type: ignore[import-untyped]

from piston.http.transfers import SLOT_HOLDER, try_to_look_up_tree
from piston.relied_on import SET_IN_INIT, rely_on
from piston.web.bodies import read_straight

rely_on(
    __name__,
    Response,
    start_response="self, status, headers, exc_info=None",
    force_close="self",
)
rely_on(__name__, ChunkedReader, parser=SET_IN_INIT)


def serve(application: Any, environ: dict[str, Any], start_response: Any) -> Any:
    """Run the application with a holder; an answer that comes before its body ends the connection.

    What is left of the body is discarded in the loop, without a thread. The loop asks no database,
    so the tree of the client, by which it shares out the slots for that, is looked up here.
    """
    wire = environ["gunicorn.socket"]
    holder = environ[SLOT_HOLDER] = wire.slot_holder
    read_straight(environ["wsgi.input"])

    def start(*arguments: Any) -> Any:
        wire.owes_continue = False
        if not holder.body_is_here and not is_read(environ["wsgi.input"].reader):
            start_response.__self__.force_close()
            try_to_look_up_tree(holder)
        return start_response(*arguments)

    return application(environ, start)


def is_read(reader: Any) -> bool:
    """Has gunicorn's reader of a body come to its end?"""
    return getattr(reader, "length", None) == 0 or getattr(reader, "parser", ...) is None
