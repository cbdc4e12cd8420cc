# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The exception of this package."""
from __future__ import annotations


class Error(Exception):
    """What the runtime or one of the programs cannot do; its text is one line that says what and where.

    ``kind`` is "invalid" (an argument or a file is wrong, a session is closed or in use), "limit" (the memory limit or
    the most resident sequences would be exceeded), "system" (the operating system or a driver refused),
    "device" (a GPU failed, and the session is lost), or "program" (a program that was run ended with an error). A call
    that fails otherwise has changed nothing.
    """

    def __init__(self, message: str, kind: str = "invalid") -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self):
        return type(self), (str(self), self.kind)
