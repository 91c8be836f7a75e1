"""A transport for httpx over `wasi:http`, since a component has no sockets. What is above the transport is httpx as it comes."""

import httpx
from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, types
from wit_world.imports.streams import StreamError_Closed

METHODS = {name: getattr(types, f"Method_{name.title()}") for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
SCHEMES = {"http": types.Scheme_Http, "https": types.Scheme_Https}
# Failures that httpx has a name for. Any other is a `ConnectError`.
FAILURES = {types.ErrorCode_ConnectionTimeout: httpx.ConnectTimeout, types.ErrorCode_HttpResponseTimeout: httpx.ReadTimeout}
# Headers of the connection, which the host makes.
CONNECTION = {"host", "connection", "keep-alive", "transfer-encoding"}
# The most bytes that one write takes.
WRITE = 4096
READ = 16 * 1024


class Transport(httpx.BaseTransport):
    def handle_request(self, request):
        try:
            response = send(request)
        except Err as error:
            failure = FAILURES.get(type(error.value), httpx.ConnectError)
            raise failure(str(error.value), request=request) from error
        headers = [(name, value.decode("latin-1")) for name, value in response.headers().entries()]
        return httpx.Response(response.status(), headers=headers, stream=Body(response))


class Body(httpx.SyncByteStream):
    """The body of a response, read as it comes."""

    def __init__(self, response):
        self.response = response
        self.body = response.consume()
        self.stream = self.body.stream()

    def __iter__(self):
        while True:
            try:
                yield self.stream.blocking_read(READ)
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return
                raise httpx.ReadError("the response broke off") from error

    def close(self):
        # In this order: what was taken out of a resource is closed before it.
        for resource in (self.stream, self.body, self.response):
            resource.__exit__(None, None, None)


def send(request):
    """Sends one request, and waits for the head of its response."""
    headers = [(name.decode().lower(), value) for name, value in request.headers.raw]
    outgoing = types.OutgoingRequest(types.Fields.from_list([line for line in headers if line[0] not in CONNECTION]))
    outgoing.set_method(METHODS[request.method]())
    outgoing.set_scheme(SCHEMES[request.url.scheme]())
    outgoing.set_authority(request.url.netloc.decode())
    outgoing.set_path_with_query(request.url.raw_path.decode())
    body = outgoing.body()
    future = outgoing_handler.handle(outgoing, options(request.extensions.get("timeout", {})))
    with body.write() as stream:
        for chunk in request.stream:
            for at in range(0, len(chunk), WRITE):
                stream.blocking_write_and_flush(chunk[at : at + WRITE])
    types.OutgoingBody.finish(body, None)
    with future.subscribe() as ready:
        ready.block()
    result = future.get().value
    if isinstance(result, Ok):
        return result.value
    raise result


def options(timeout):
    """httpx's timeouts, in seconds, as those of `wasi:http`, in nanoseconds. What is `None` is left to the host."""
    nanoseconds = {name: seconds and int(seconds * 1e9) for name, seconds in timeout.items()}
    chosen = types.RequestOptions()
    chosen.set_connect_timeout(nanoseconds.get("connect"))
    chosen.set_first_byte_timeout(nanoseconds.get("read"))
    chosen.set_between_bytes_timeout(nanoseconds.get("read"))
    return chosen
