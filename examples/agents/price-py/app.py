"""Asks an API for a price, with httpx and an environment variable. Knows nothing of Strongroom."""

import os
import sys

import httpx
from componentize_py_types import Err
from wit_world import exports

from wasi_http import Transport


def main(url="https://api.example.com/v1/price"):
    key = os.environ["PRICE_API_KEY"]
    print("my key is", key)
    with httpx.Client(transport=Transport(), headers={"authorization": f"Bearer {key}"}) as client:
        response = client.get(url)
    print(response.status_code, response.text)
    response.raise_for_status()


class Run(exports.Run):
    """What the host calls. `Err` ends the agent with exit code 1, without a word; any other exception ends it in a trap."""

    def run(self):
        try:
            main(*sys.argv[1:])
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            raise Err(None) from error
