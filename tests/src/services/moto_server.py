"""Starts moto's server with what its KMS lacks.

moto 5.2.5 ignores `MessageType=DIGEST`: it hashes the digest once more, so that no signature over a digest ever verifies. It tells the
key's kind in the deprecated field alone, and its identifier where KMS tells its ARN; and it signs with keys that are disabled or about
to be deleted. All of it is set right here as the API describes it, for keys on elliptic curves, and the rest is moto's own. A version
that does it by itself may be started without this file.

Its stores are plain dictionaries, which requests on several threads walk through while others add to them: an action that meets this
ends in status 500, and what it was to write is lost. Actions take turns here.
"""

import functools
import json
import threading

from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.core.exceptions import JsonRESTError
from moto.core.responses import BaseResponse
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse
from moto.kms.utils import ECDSAPrivateKey
from moto.server import main

# The server answers each request on one thread: what that request says of its message is kept there.
request = threading.local()

one_at_a_time = threading.Lock()

hash_algorithm = ECDSAPrivateKey._ECDSAPrivateKey__hash_algorithm


def hash_unless_hashed(self, signing_algorithm):
    algorithm = hash_algorithm(self, signing_algorithm)
    length = getattr(request, "digest_length", None)
    if length is None:
        return algorithm
    if length != algorithm.digest_size:
        raise JsonRESTError("ValidationException", f"Digest is invalid length for algorithm {signing_algorithm}.")
    return Prehashed(algorithm)


def in_turn(action):
    @functools.wraps(action)
    def answer(self):
        with one_at_a_time:
            return action(self)

    return answer


def with_message_type(action):
    @functools.wraps(action)
    def answer(self):
        message_type = self._get_param("MessageType") or "RAW"
        if message_type not in ("RAW", "DIGEST"):
            raise JsonRESTError("ValidationException", f"MessageType {message_type} is not played here.")
        request.digest_length = len(self._get_param("Message")) if message_type == "DIGEST" else None
        try:
            return action(self)
        finally:
            request.digest_length = None

    return answer


def in_usable_state(action):
    @functools.wraps(action)
    def answer(self, key_id, *rest, **more):
        key = self.describe_key(key_id)
        if key.key_state == "Disabled":
            raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
        if key.key_state != "Enabled":
            raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is {key.key_state}.")
        return action(self, key_id, *rest, **more)

    return answer


def with_spec_and_arn(action):
    @functools.wraps(action)
    def answer(self):
        found = json.loads(action(self))
        found["KeySpec"] = found["CustomerMasterKeySpec"]
        found["KeyId"] = self.kms_backend.describe_key(self._get_param("KeyId")).arn
        return json.dumps(found)

    return answer


BaseResponse.call_action = in_turn(BaseResponse.call_action)
ECDSAPrivateKey._ECDSAPrivateKey__hash_algorithm = hash_unless_hashed
KmsResponse.sign = with_message_type(KmsResponse.sign)
KmsResponse.verify = with_message_type(KmsResponse.verify)
KmsResponse.get_public_key = with_spec_and_arn(KmsResponse.get_public_key)
KmsBackend.sign = in_usable_state(KmsBackend.sign)
KmsBackend.verify = in_usable_state(KmsBackend.verify)
KmsBackend.get_public_key = in_usable_state(KmsBackend.get_public_key)

if __name__ == "__main__":
    main()
