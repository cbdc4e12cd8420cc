# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The file of results. Several programs may add to it at the same time."""

import contextlib
import fcntl
import json
import os

import machine


class Store:
    """{"machine", "entries": [..]}. Each entry has a "kind" ("training" or "decode") and the key of its work."""

    def __init__(self, path):
        self.path = path

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

    def find(self, kind, key):
        """The entry of a work, or None."""
        found = [entry for entry in self.load()["entries"] if entry["kind"] == kind and key_of(entry) == key]
        return found[0] if found else None

    def add(self, *entries):
        """Puts entries in the place of those of the same kind and work."""
        with self.locked():
            data = self.load()
            new = {(entry["kind"], key_of(entry)) for entry in entries}
            data["machine"] = machine.describe()
            data["entries"] = [entry for entry in data["entries"] if (entry["kind"], key_of(entry)) not in new]
            data["entries"] += entries
            with open(self.path + ".new", "w", encoding="utf-8") as file:
                json.dump(data, file, indent=1)
                file.write("\n")
            os.replace(self.path + ".new", self.path)


def key_of(entry):
    return (entry["size"], entry["contender"], entry["seed"])


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
