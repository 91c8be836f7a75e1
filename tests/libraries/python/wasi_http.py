"""What client libraries have under them where there are no sockets: one request over `wasi:http`, and an answer that is read as it comes.

Libraries let their lowest layer be replaced for this (`httpx.BaseTransport`, `requests.adapters.BaseAdapter`); above it they are untouched."""

from urllib.parse import urlsplit

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, types
from wit_world.imports.streams import StreamError_Closed

METHODS = {
    "GET": types.Method_Get,
    "HEAD": types.Method_Head,
    "POST": types.Method_Post,
    "PUT": types.Method_Put,
    "DELETE": types.Method_Delete,
    "OPTIONS": types.Method_Options,
    "PATCH": types.Method_Patch,
}
# The host's own.
FRAMING = {"host", "connection", "transfer-encoding", "keep-alive"}
WRITTEN_AT_ONCE = 4096


class Failed(Exception):
    """No answer came."""


class Answer:
    def __init__(self, incoming):
        self.incoming = incoming
        self.status = incoming.status()
        self.headers = [(name, value.decode("latin-1")) for name, value in incoming.headers().entries()]
        self.body = incoming.consume()
        self.stream = self.body.stream()

    def chunks(self):
        while self.stream is not None:
            try:
                chunk = self.stream.blocking_read(16 * 1024)
            except Err as error:
                self.close()
                if isinstance(error.value, StreamError_Closed):
                    return
                raise Failed("the response was cut short") from error
            if chunk:
                yield chunk

    def close(self):
        if self.stream is not None:
            self.stream.__exit__(None, None, None)
            self.body.__exit__(None, None, None)
            self.incoming.__exit__(None, None, None)
            self.stream = None


def send(method, url, headers, body):
    """Sends one request. `headers` are pairs of text, `body` yields bytes."""
    parts = urlsplit(url)
    lines = [(name.lower(), value.encode("latin-1")) for name, value in headers if name.lower() not in FRAMING]
    request = types.OutgoingRequest(types.Fields.from_list(lines))
    request.set_method(METHODS[method]())
    request.set_scheme(types.Scheme_Https())
    request.set_authority(parts.netloc)
    request.set_path_with_query((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    outgoing = request.body()
    future = outgoing_handler.handle(request, None)
    with outgoing.write() as stream:
        for chunk in body:
            for at in range(0, len(chunk), WRITTEN_AT_ONCE):
                stream.blocking_write_and_flush(chunk[at : at + WRITTEN_AT_ONCE])
    types.OutgoingBody.finish(outgoing, None)
    with future.subscribe() as ready:
        ready.block()
    result = future.get()
    if isinstance(result, Ok) and isinstance(result.value, Ok):
        return Answer(result.value.value)
    raise Failed(str(getattr(result, "value", result)))
