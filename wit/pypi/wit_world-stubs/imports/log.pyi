"""
Structured logging. What is written is scrubbed of every value that the host holds for this agent, then goes to the operator.
It counts towards the manifest's `limits.output`; past that limit the run ends.
"""
from typing import TypeVar, Generic, Union, Optional, Protocol, Tuple, List, Any, Self, Callable
from types import TracebackType
from enum import Flag, Enum, auto
from dataclasses import dataclass
from abc import abstractmethod
import weakref

from componentize_py_types import Result, Ok, Err, Some

class Level(Enum):
    """
    How much a record matters, least first.
    """
    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4

@dataclass
class Field:
    """
    One named value beside the message.
    """
    key: str
    value: str

def write(level: Level, message: str, fields: List[Field]) -> None:
    """
    Writes one record.
    """
