"""google-auth's session, with an access token that stands for itself."""

import sys
import types

# What signs is native code, and the host's work. Here the access token is there already.
for module, names in {"es": "EsSigner EsVerifier", "es256": "ES256Signer ES256Verifier", "rsa": "RSASigner RSAVerifier"}.items():
    sys.modules[f"google.auth.crypt.{module}"] = types.ModuleType(module)
    for name in names.split():
        setattr(sys.modules[f"google.auth.crypt.{module}"], name, type(name, (), {}))

from google.auth.transport.requests import AuthorizedSession
from google.oauth2.credentials import Credentials

from agents.requests_client import Adapter

API = "https://storage.googleapis.com/storage/v1"
UPLOAD = "https://storage.googleapis.com/upload/storage/v1"


def session(env):
    api = AuthorizedSession(Credentials(token=env["GOOGLE_TOKEN"]))
    api.mount("https://", Adapter())
    return api


def objects(env, say):
    api = session(env)
    found = api.get(f"{API}/b/reports/o", params={"prefix": "2026/"}).json()
    say("found", [item["name"] for item in found["items"]])
    name = "2026%2Fnovember.txt"
    got = api.get(f"{API}/b/reports/o/{name}", params={"alt": "media"})
    say("got", [got.text.replace(env["GOOGLE_TOKEN"], "the token")])
    put = api.post(f"{UPLOAD}/b/reports/o?uploadType=media&name={name}", data=b"a report", headers={"content-type": "text/plain"})
    say("put", [put.json()["size"]])


def resumable(env, say):
    """An upload in a session: a POST without a body opens it."""
    api = session(env)
    opened = api.post(f"{UPLOAD}/b/reports/o?uploadType=resumable&name=a.txt")
    say("opened", opened.status_code)
    put = api.put(opened.headers["location"], data=b"in one piece")
    say("put", put.json()["size"])
