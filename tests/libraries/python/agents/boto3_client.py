"""boto3, over an HTTP session of its own, against a store that takes a bearer token: there is nothing to sign that the agent could."""

import sys
import types

from urllib3.response import HTTPResponse

import wasi_http
from agents.requests_client import Body


class Session:
    """What botocore asks of its HTTP session. Its own imports `ssl`, which is not here."""

    def __init__(self, **_):
        pass

    def send(self, request):
        body = request.body or b""
        pieces = [body] if isinstance(body, (bytes, bytearray)) else iter(lambda: body.read(4096), b"")
        try:
            answer = wasi_http.send(request.method, request.url, [(name, text(value)) for name, value in request.headers.items()], pieces)
        except wasi_http.Failed as error:
            raise EndpointConnectionError(endpoint_url=request.url, error=error) from error
        raw = HTTPResponse(
            Body(answer),
            headers=answer.headers,
            status=answer.status,
            request_method=request.method,
            preload_content=False,
            decode_content=False,
        )
        response = AWSResponse(request.url, answer.status, raw.headers, raw)
        if not request.stream_output:
            response.content
        return response

    def close(self):
        pass


def text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else value


sys.modules["botocore.httpsession"] = types.ModuleType("botocore.httpsession")
sys.modules["botocore.httpsession"].URLLib3Session = Session

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.client import Config
from botocore.exceptions import ClientError, EndpointConnectionError

# Made where there are files to read a service's description from.
STORE = boto3.client(
    "s3",
    region_name="auto",
    endpoint_url="https://storage.example",
    config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}),
)
OBJECT = {"Bucket": "reports", "Key": "2026/november é.txt"}


def store(env):
    def authorize(request, **_):
        request.headers["authorization"] = f"Bearer {env['STORAGE_TOKEN']}"

    STORE.meta.events.register("before-send.s3", authorize)
    return STORE


def objects(env, say):
    s3 = store(env)
    put = s3.put_object(**OBJECT, Body=b"a report", ContentType="text/plain")
    say("put", put["ResponseMetadata"]["HTTPStatusCode"])
    got = s3.get_object(**OBJECT)
    say("got", got["Body"].read().decode())
    head = s3.head_object(**OBJECT)
    say("head", [head.get("ContentLength"), head["ContentType"]])
    listed = s3.list_objects_v2(Bucket="reports", Prefix="2026/")
    say("list", [[each["Key"], each["Size"]] for each in listed["Contents"]])


def multipart(env, say):
    """The ETag of each part is asked for at the end."""
    s3 = store(env)
    upload = s3.create_multipart_upload(**OBJECT)["UploadId"]
    parts = []
    for number in (1, 2):
        part = s3.upload_part(**OBJECT, UploadId=upload, PartNumber=number, Body=f"part {number}".encode())
        parts.append({"PartNumber": number, "ETag": part.get("ETag")})
    say("tags", [part["ETag"] for part in parts])
    done = s3.complete_multipart_upload(**OBJECT, UploadId=upload, MultipartUpload={"Parts": parts})
    say("done", done["Location"])


def retried(env, say):
    found = store(env).list_objects_v2(Bucket="reports")
    say("found", found["KeyCount"])


def missing(env, say):
    try:
        store(env).get_object(Bucket="reports", Key="none")
    except ClientError as error:
        say("error", [error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]])
