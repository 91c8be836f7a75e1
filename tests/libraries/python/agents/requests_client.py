"""requests, over an adapter of its own."""

import io

import requests
from requests.adapters import BaseAdapter
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from urllib3.response import HTTPResponse

import wasi_http


class Body(io.RawIOBase):
    def __init__(self, answer):
        self.answer, self.rest = answer, b""
        self.chunks = answer.chunks()

    def readable(self):
        return True

    def readinto(self, buffer):
        self.rest = self.rest or next(self.chunks, b"")
        taken = self.rest[: len(buffer)]
        self.rest = self.rest[len(taken) :]
        buffer[: len(taken)] = taken
        if not taken:
            self.close()
        return len(taken)

    def close(self):
        self.answer.close()
        super().close()


class Adapter(BaseAdapter):
    def send(self, request, **_):
        body = request.body or b""
        pieces = [body.encode() if isinstance(body, str) else body] if isinstance(body, (str, bytes)) else body
        try:
            answer = wasi_http.send(request.method, request.url, request.headers.items(), pieces)
        except wasi_http.Failed as error:
            raise requests.ConnectionError(error, request=request) from error
        response = requests.Response()
        response.status_code, response.url, response.request, response.connection = answer.status, request.url, request, self
        response.headers = CaseInsensitiveDict(answer.headers)
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw = HTTPResponse(Body(answer), headers=answer.headers, status=answer.status, preload_content=False, decode_content=False)
        response.raw._original_response = Head(answer.headers)
        extract_cookies_to_jar(response.cookies, request, response.raw)
        return response

    def close(self):
        pass


class Head:
    """What the jar of cookies asks a response for."""

    def __init__(self, headers):
        self.headers = headers
        self.msg = self

    def get_all(self, name, default=None):
        return [value for each, value in self.headers if each.lower() == name.lower()] or default

    def isclosed(self):
        return True


def session(env):
    api = requests.Session()
    api.mount("https://", Adapter())
    api.headers["authorization"] = f"Bearer {env['PLATFORM_KEY']}"
    return api


BASE = "https://api.platform.example/v1"


def calls(env, say):
    with session(env) as api:
        account = api.get(f"{BASE}/account", params={"expand": ["a", "b c"]}).json()
        say("account", [account["name"], account["key"] == env["PLATFORM_KEY"]])
        answer = api.post(f"{BASE}/files", files={"file": ("notes.txt", b"some notes", "text/plain")})
        say("file", answer.json()["size"])


def bodies(env, say):
    with session(env) as api:
        order = api.post(f"{BASE}/orders", json={"side": "sell"})
        say("order", [order.status_code, order.json()["id"]])
        bare = api.post(f"{BASE}/orders/7/cancel")
        say("bare", bare.json()["cancelled"])


def redirected(env, say):
    """Within the origin with the key, to another without: requests takes it out by itself."""
    with requests.Session() as api:
        api.mount("https://", Adapter())
        key = {"authorization": f"Bearer {env['PLATFORM_KEY']}"}
        answer = api.get(f"{BASE}/old", headers=key)
        say("answer", [answer.json()["ok"], answer.url, len(answer.history)])
        elsewhere = api.get(f"{BASE}/download", headers=key)
        say("elsewhere", [elsewhere.text, elsewhere.url])


def cookies(env, say):
    """A cookie of the network in front of an API, which a session sends back."""
    with session(env) as api:
        say("first", api.get(f"{BASE}/account").status_code)
        say("second", api.get(f"{BASE}/account").status_code)


def streaming(env, say):
    with session(env) as api, api.get(f"{BASE}/events", stream=True) as answer:
        for line in answer.iter_lines(chunk_size=1):
            if line:
                say("event", line.decode())
    say("done", True)
