"""One component for several libraries: `LIBRARY CASE` as arguments. All are imported here, since a component has no files to import from later."""

import json

from agents import aws_client, boto3_client, google_auth, httpx_client, requests_client
from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import environment

AGENTS = {"aws": aws_client, "boto3": boto3_client, "google-auth": google_auth, "httpx": httpx_client, "requests": requests_client}


def say(name, value):
    """A line of JSON is what a test compares."""
    print(json.dumps({name: value}), flush=True)


class Run(exports.Run):
    def run(self):
        library, case = environment.get_arguments()[-2:]
        try:
            getattr(AGENTS[library], case)(dict(environment.get_environment()), say)
        except Exception as error:
            say("failed", f"{type(error).__name__}: {error}")
            raise Err(None) from error
