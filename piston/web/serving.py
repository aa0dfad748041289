"""Runs the application on a request, with the request's slot holder in its environment."""

from __future__ import annotations

from typing import Any

from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.wsgi import Response  # type: ignore[import-untyped]

from piston.http.transfers import SLOT_HOLDER, try_to_look_up_tree
from piston.relied_on import SET_IN_INIT, rely_on
from piston.web.bodies import read_unbuffered

rely_on(
    __name__,
    Response,
    start_response="self, status, headers, exc_info=None",
    force_close="self",
)
rely_on(__name__, ChunkedReader, parser=SET_IN_INIT)


def serve(application: Any, environ: dict[str, Any], start_response: Any) -> Any:
    """Run the application; an answer that starts before the body was read ends the connection.

    The loop discards the rest of the body, without a thread. It shares out the slots for that by
    the client's tree, and may not query the database. So the tree is looked up here.
    """
    client_socket = environ["gunicorn.socket"]
    holder = environ[SLOT_HOLDER] = client_socket.slot_holder
    read_unbuffered(environ["wsgi.input"])

    def start(*arguments: Any) -> Any:
        client_socket.owes_continue = False
        if not holder.body_is_here and not is_read(environ["wsgi.input"].reader):
            start_response.__self__.force_close()
            try_to_look_up_tree(holder)
        return start_response(*arguments)

    return application(environ, start)


def is_read(reader: Any) -> bool:
    """Has gunicorn's reader reached the end of the body?"""
    return getattr(reader, "length", None) == 0 or getattr(reader, "parser", ...) is None
