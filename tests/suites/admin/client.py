"""Asks for every operation of an OpenAPI document in each role, and holds the answers against its schemas. It knows no path beforehand."""

import json
import sys

import jsonschema
import requests

url, *arguments = sys.argv[1:]
session = requests.Session()
session.verify = "ca.pem"
# Nothing of the environment, such as other authorities.
session.trust_env = False

# What stands for names in paths and queries.
NAMES = {"agent": "yearly", "rotation": "bot", "backend": "store", "path": "agents/none", "version": "1"}


def ask(method, path, token):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return session.request(method.upper(), url + path, headers=headers, timeout=60)


if arguments[0] == "--certificate":
    session.cert = arguments[1]
    mine = session.get(url + "/v1/host", timeout=60).json()
    lifted = session.delete(url + "/v1/kill-switch/all", timeout=60)
    assert lifted.status_code == 403, lifted.text
    assert "by-certificate has the role operator" in lifted.json()["detail"], lifted.text
    page = session.post(url + "/v1/reload", headers={"Origin": "https://evil.example"}, timeout=60)
    assert page.status_code == 403 and "a page in a browser" in page.text, page.text
    print("by-certificate may", mine["role"])
    sys.exit()

document = ask("get", "/v1/openapi.json", arguments[-1]).json()


def check(answer, described):
    """Whether an answer is one of those that the document has for its operation."""
    responses = described["responses"]
    assert str(answer.status_code) in responses, (described["operationId"], answer.status_code, answer.text)
    ((kind, content),) = responses[str(answer.status_code)]["content"].items()
    assert answer.headers["content-type"] == kind, answer.headers
    schema = {**content["schema"], "components": document["components"]}
    texts = answer.text.splitlines() if kind == "application/x-ndjson" else [answer.text]
    for text in texts:
        jsonschema.validate(json.loads(text), schema, cls=jsonschema.Draft202012Validator)


rows = {}
# What lifts comes after what stops, and the role with the most rights last: all are left as they were.
for token in [None, *arguments]:
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            filled = path.format(**NAMES)
            queries = [each["name"] for each in described["parameters"] if each["in"] == "query" and each["required"]]
            if queries:
                filled += "?" + "&".join(f"{name}={NAMES[name]}" for name in queries)
            answer = ask(method, filled, token)
            check(answer, described)
            rows.setdefault(described["operationId"], []).append(answer.status_code)
    for whom in ["all", "agents/yearly"]:
        ask("delete", f"/v1/kill-switch/{whom}", arguments[-1])

for name, statuses in rows.items():
    print(name, *statuses)
