"""boto3 as it comes, over the HTTP session of `boto3_client`: it signs with what stands in the environment."""

import io

import wasi_http
# Which has put that session into its place.
from agents.boto3_client import ClientError, Config, boto3

SESSION = boto3.Session()


def made(key, secret, token, **config):
    return SESSION.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(signature_version="s3v4", **config),
    )


# Made once where there are files to read a service's description from: the session keeps what it has read.
made("unused", "unused", None)

BUCKET = "reports"
KEYS = ["a", "2026/november é.txt", "odd/+ &=?#100% ~(1)!*'@:,$"]


def store(env, **config):
    return made(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN"), **config)


def text(length):
    """Text that no two places of have in common."""
    return "".join(f"{line}\n" for line in range(length // 2))[:length].encode()


def objects(env, say):
    for style in ("virtual", "path"):
        s3 = store(env, s3={"addressing_style": style})
        for key in KEYS:
            body = f"a report: {key}".encode()
            put = s3.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType="text/plain", Metadata={"note": "a  b"})
            same = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
            head = s3.head_object(Bucket=BUCKET, Key=key)
            say("object", [put["ResponseMetadata"]["HTTPStatusCode"], same, head["ContentType"], head["Metadata"]["note"]])
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="odd/+ &")
        say("list", [each["Key"] for each in listed["Contents"]])
        for key in KEYS:
            s3.delete_object(Bucket=BUCKET, Key=key)
        try:
            s3.get_object(Bucket=BUCKET, Key=KEYS[0])
        except ClientError as error:
            say("error", [error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]])


def streamed(env, say):
    """A body that flows, with its checksum behind it."""
    s3 = store(env)
    for length in (100, 100_000, 1_500_000):
        s3.put_object(Bucket=BUCKET, Key="flows", Body=io.BytesIO(text(length)))
        say("streamed", [length, s3.get_object(Bucket=BUCKET, Key="flows")["Body"].read() == text(length)])


def signed(env, say):
    """Bodies that are signed whole, as before there were trailers."""
    s3 = store(env, request_checksum_calculation="when_required", s3={"payload_signing_enabled": True})
    for length in (100, 300_000):
        s3.put_object(Bucket=BUCKET, Key="signed", Body=text(length))
        say("signed", [length, s3.get_object(Bucket=BUCKET, Key="signed")["Body"].read() == text(length)])


def multipart(env, say):
    s3 = store(env)
    key = {"Bucket": BUCKET, "Key": "parts é"}
    upload = s3.create_multipart_upload(**key)["UploadId"]
    parts, bodies = [], [text(5 << 20), b"and the end"]
    for number, body in enumerate(bodies, 1):
        part = s3.upload_part(**key, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]})
    s3.complete_multipart_upload(**key, UploadId=upload, MultipartUpload={"Parts": parts})
    say("multipart", s3.get_object(**key)["Body"].read() == b"".join(bodies))


def presigned(env, say):
    """URLs that the agent signs and fetches by itself."""
    s3 = store(env)
    key = {"Bucket": BUCKET, "Key": "2026/november é.txt"}
    put = s3.generate_presigned_url("put_object", Params={**key, "ContentType": "text/plain"}, ExpiresIn=60)
    stored = wasi_http.send("PUT", put, [("content-type", "text/plain")], [b"a report"])
    got = wasi_http.send("GET", s3.generate_presigned_url("get_object", Params=key, ExpiresIn=60), [], [])
    say("presigned", [stored.status, got.status, b"".join(got.chunks()).decode()])
