# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The file of results. Several programs may add to it at the same time."""

import contextlib
import fcntl
import json
import os

import machine


class Store:
    """{"machine", "entries": [..]}. Each entry has a "kind" and `fields`, which together tell it from the others; a
    field may be missing in all entries of a kind."""

    def __init__(self, path, fields):
        self.path, self.fields = path, fields

    def identity(self, entry):
        return (entry["kind"], *(entry.get(name) for name in self.fields))

    def load(self):
        """The file's content; an empty one if it is not there. ValueError, OSError: it cannot be read."""
        if not os.path.exists(self.path):
            return {"entries": []}
        with open(self.path, encoding="utf-8") as file:
            return json.load(file)

    @contextlib.contextmanager
    def locked(self):
        with open(self.path + ".lock", "w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def find(self, kind, **key):
        """The entry of that kind with these fields, or None."""
        wanted = self.identity({"kind": kind, **key})
        found = [entry for entry in self.load()["entries"] if self.identity(entry) == wanted]
        return found[0] if found else None

    def add(self, *entries):
        """Puts entries in the place of those of the same kind and fields."""
        with self.locked():
            data = self.load()
            new = {self.identity(entry) for entry in entries}
            data["machine"] = machine.describe()
            data["entries"] = [entry for entry in data["entries"] if self.identity(entry) not in new]
            data["entries"] += entries
            with open(self.path + ".new", "w", encoding="utf-8") as file:
                json.dump(data, file, indent=1)
                file.write("\n")
            os.replace(self.path + ".new", self.path)


@contextlib.contextmanager
def only_one(path):
    """Holds the file of that name and yields its descriptor; None if another program holds it. A child that is given
    the descriptor holds it too, so that a trainer whose parent was killed keeps its folder."""
    with open(path, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        yield file.fileno()
