"""
Signatures by keys that never leave the host. The host decodes what it is asked to sign, decides by the manifest, records, and signs.

Numbers are text: decimal digits, or `0x` and hexadecimal digits. Addresses are `0x` and 40 hexadecimal digits, in one case or with the
checksum of EIP-55. Where a call takes an idempotency key (1 to 128 characters), a second call with the same key and the same content
gives the same signature and is charged once; with other content it is refused. Keys are the agent's own, for each signer.
"""
from typing import TypeVar, Generic, Union, Optional, Protocol, Tuple, List, Any, Self, Callable
from types import TracebackType
from enum import Flag, Enum, auto
from dataclasses import dataclass
from abc import abstractmethod
import weakref

from componentize_py_types import Result, Ok, Err, Some

@dataclass
class Error_Unavailable:
    pass

@dataclass
class Error_TooManyHandles:
    pass

@dataclass
class Error_Malformed:
    value: str

@dataclass
class Error_Denied:
    value: str

@dataclass
class Error_Unreachable:
    pass

@dataclass
class Error_Unknown:
    pass

Error = Union[Error_Unavailable, Error_TooManyHandles, Error_Malformed, Error_Denied, Error_Unreachable, Error_Unknown]
"""
Why there is no signature.
"""

@dataclass
class Access:
    """
    An entry of an access list (EIP-2930).
    """
    address: str
    slots: List[bytes]

@dataclass
class GasFee_Price:
    value: str

@dataclass
class GasFee_Market:
    value: Tuple[str, str]

GasFee = Union[GasFee_Price, GasFee_Market]
"""
Gas at one price (legacy, EIP-2930), or at a market's (EIP-1559).
"""

@dataclass
class Authorization:
    """
    A signed authorization to run code (EIP-7702), as `sign-authorization` gives it.
    """
    chain_id: str
    address: str
    nonce: str
    y_parity: int
    r: bytes
    s: bytes

@dataclass
class Transaction:
    """
    A transaction as typed fields. Its kind follows from them: blobs make it EIP-4844, authorizations EIP-7702, a market EIP-1559, a price
    with an access list EIP-2930, and a price alone legacy (with EIP-155's protection).
    """
    chain_id: str
    nonce: str
    gas: str
    fee: GasFee
    to: str
    value: str
    input: bytes
    access_list: Optional[List[Access]]
    blobs: Optional[Tuple[str, List[bytes]]]
    authorizations: List[Authorization]

@dataclass
class Unsigned_Fields:
    value: Transaction

@dataclass
class Unsigned_Payload:
    value: bytes

Unsigned = Union[Unsigned_Fields, Unsigned_Payload]
"""
What is to be signed: typed fields, or the unsigned payload of EIP-2718 (for legacy transactions EIP-155's list of nine).
"""

@dataclass
class Signed:
    """
    A signed transaction.
    """
    raw: bytes
    hash: bytes

class Signer:
    """
    A key, opened by name for the length of this run.
    """

    @classmethod
    def open(cls, name: str) -> Self:
        """
        Opens the signer that the manifest declares as `[signers.NAME]`.

        Raises: `componentize_py_types.Err(wit_world.imports.signing.Error)`
        """
    def address(self) -> str:
        """
        The account's address with its checksum (EIP-55); of an ed25519 key its public half in base58. Empty for a key that has none.
        """
    def public_key(self) -> bytes:
        """
        The key's public half: SEC 1 uncompressed, 65 bytes; of an ed25519 key 32 bytes. Empty for a key that has none.
        """
    def sign_transaction(self, transaction: Unsigned, idempotency_key: Optional[str]) -> Signed:
        """
        Signs a transaction.

        Raises: `componentize_py_types.Err(wit_world.imports.signing.Error)`
        """
    def sign_message(self, message: bytes, idempotency_key: Optional[str]) -> bytes:
        """
        Signs a message for people: by EIP-191 (65 bytes: r, s, v), or as an off-chain message of Solana (64 bytes).

        Raises: `componentize_py_types.Err(wit_world.imports.signing.Error)`
        """
    def sign_typed_data(self, document: str, idempotency_key: Optional[str]) -> bytes:
        """
        Signs typed data (EIP-712), the JSON of `eth_signTypedData_v4`: 65 bytes, r, s, v.

        Raises: `componentize_py_types.Err(wit_world.imports.signing.Error)`
        """
    def sign_authorization(self, chain_id: str, address: str, nonce: str, idempotency_key: Optional[str]) -> Authorization:
        """
        Signs an authorization to run code (EIP-7702).

        Raises: `componentize_py_types.Err(wit_world.imports.signing.Error)`
        """
    def sign_digest(self, digest: bytes) -> bytes:
        """
        Signs 32 bytes as they are: 65 bytes, r, s, v. Only where the operator grants it in the host configuration.

        Raises: `componentize_py_types.Err(wit_world.imports.signing.Error)`
        """
    def hmac(self, input: bytes) -> bytes:
        """
        HMAC-SHA-256 of an input that the manifest's template matches: 32 bytes.

        Raises: `componentize_py_types.Err(wit_world.imports.signing.Error)`
        """
    def sign_jwt(self, claims: str) -> str:
        """
        A JSON Web Token in compact form. `claims` is a JSON object of what the manifest lets the agent add; the rest is the manifest's
        and the host's.

        Raises: `componentize_py_types.Err(wit_world.imports.signing.Error)`
        """
    def __enter__(self) -> Self:
        """Returns self"""

    def __exit__(self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None) -> bool | None:
        """
        Release this resource.
        """
