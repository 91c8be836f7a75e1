"""httpx, over a transport of its own."""

import time

import httpx

import wasi_http


class Stream(httpx.SyncByteStream):
    def __init__(self, answer):
        self.answer = answer

    def __iter__(self):
        yield from self.answer.chunks()

    def close(self):
        self.answer.close()


class Transport(httpx.BaseTransport):
    def handle_request(self, request):
        headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers.raw]
        try:
            answer = wasi_http.send(request.method, str(request.url), headers, request.stream)
        except wasi_http.Failed as error:
            raise httpx.ConnectError(str(error), request=request) from error
        return httpx.Response(answer.status, headers=answer.headers, stream=Stream(answer))


def client(env, **options):
    headers = {"authorization": f"Bearer {env['PLATFORM_KEY']}"}
    return httpx.Client(base_url="https://api.platform.example/v1", headers=headers, transport=Transport(), **options)


def calls(env, say):
    with client(env) as api:
        account = api.get("/account", params={"expand": ["a", "b c"], "note": "it's; 100%"}).raise_for_status().json()
        say("account", [account["name"], account["key"] == env["PLATFORM_KEY"]])
        head = api.head("/account")
        say("head", [head.status_code, head.headers["x-request-id"], len(head.content)])
        gone = api.delete("/orders/7")
        say("gone", [gone.status_code, gone.content.decode()])


def bodies(env, say):
    with client(env) as api:
        order = api.post("/orders", json={"side": "sell"})
        say("order", [order.status_code, order.json()["id"]])
        bare = api.post("/orders/7/cancel")
        say("bare", bare.json()["cancelled"])
        encoded = api.put("/profile", data={"name": "a b"})
        say("encoded", encoded.json()["ok"])


def upload(env, say):
    with client(env) as api:
        files = {"file": ("notes.txt", b"some notes", "text/plain")}
        answer = api.post("/files", files=files, data={"purpose": "notes"})
        say("file", answer.json()["size"])

        def pieces():
            yield b"one "
            yield b"two"

        answer = api.post("/uploads", content=pieces())
        say("upload", answer.json()["size"])


def streaming(env, say):
    with client(env) as api, api.stream("GET", "/events") as answer:
        for line in answer.iter_lines():
            if line:
                say("event", line.replace(env["PLATFORM_KEY"], "the key"))
    say("done", True)


def retried(env, say):
    with client(env) as api:
        while (answer := api.get("/busy")).status_code == 429:
            time.sleep(float(answer.headers["retry-after"]))
        say("answer", answer.json()["ok"])


def redirected(env, say):
    """Within the origin with the key, to another without: httpx takes it out by itself."""
    with client(env, follow_redirects=True) as api:
        answer = api.get("/old")
        say("answer", [answer.json()["ok"], str(answer.url), len(answer.history)])
        elsewhere = api.get("/download")
        say("elsewhere", [elsewhere.text, elsewhere.url.host])


def cookies(env, say):
    """A cookie of the network in front of an API, which the client sends back."""
    with client(env) as api:
        say("first", api.get("/account").status_code)
        say("second", api.get("/account").status_code)


def conditional(env, say):
    with client(env) as api:
        first = api.get("/document")
        again = api.get("/document", headers={"if-none-match": first.headers["etag"]})
        say("again", again.status_code)
        written = api.put("/document", json={}, headers={"if-match": first.headers["etag"]})
        say("written", written.status_code)


def denied(env, say):
    """What the manifest does not allow."""
    with client(env) as api:
        try:
            answer = api.get("/admin")
            say("answer", [answer.status_code, answer.headers.get("strongroom-denial")])
        except httpx.ConnectError as error:
            say("error", type(error).__name__)


def many(env, say):
    """Answers that nobody reads, more than may be open at once."""
    unread = []
    with client(env) as api:
        for number in range(40):
            request = api.build_request("DELETE", f"/orders/{number}")
            unread.append(api.send(request, stream=True))
        say("statuses", sorted({answer.status_code for answer in unread}))
