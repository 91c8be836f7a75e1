"""
Handles to the secrets that the agent's manifest grants.

A handle never yields the value. What it yields is a *placeholder*: a random string that stands for the value in the one
place of a request that the grant names. The host puts the value there when the request leaves, and nowhere else.
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

Error = Union[Error_Unavailable, Error_TooManyHandles]
"""
Why a secret can't be opened.
"""

class Secret:
    """
    One secret, opened by name for the length of this run.
    """

    @classmethod
    def open(cls, name: str) -> Self:
        """
        Opens the secret that the manifest declares as `[secrets.NAME]`. Names are case-sensitive.

        Raises: `componentize_py_types.Err(wit_world.imports.secrets.Error)`
        """
    def name(self) -> str:
        """
        The name it was opened by.
        """
    def placeholder(self) -> str:
        """
        The string that stands for the value in a request. The same for every call within one run; it carries at least
        128 bits of randomness, means nothing in another run, agent or place, and stays valid across a rotation.
        """
    def fingerprint(self) -> str:
        """
        A keyed hash of the value now in use, 8 lower-case hexadecimal digits. It changes when the value is rotated, and
        differs between hosts. It can't be turned back into the value.
        """
    def expires_at(self) -> Optional[int]:
        """
        When the value in use stops working, in seconds since 1970-01-01T00:00:00Z, where the backend knows it.
        """
    def __enter__(self) -> Self:
        """Returns self"""

    def __exit__(self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None) -> bool | None:
        """
        Release this resource.
        """
