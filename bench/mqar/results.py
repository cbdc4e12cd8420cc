# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What bench/mqar/run stored, with the questions that tables and figures ask."""

import works


class Results:
    """The stored file. `data` is its content."""

    def __init__(self, data):
        self.data = data
        self.entries = data["entries"]

    def sizes(self):
        return sorted({entry["size"] for entry in self.entries})

    def trainings(self, size=None, contender=None, status=None):
        """Entries of trainings by size, contender and seed, those that failed among them."""
        found = [entry for entry in self.entries if entry["kind"] == "training"
                 and size in (None, entry["size"]) and contender in (None, entry["contender"])
                 and status in (None, entry["status"])]
        return sorted(found, key=lambda one: (one["size"], works.CONTENDERS.index(one["contender"]), one["seed"]))

    def pairs(self):
        """(size, contender) of all trainings, in the order of tables."""
        return list(dict.fromkeys((entry["size"], entry["contender"]) for entry in self.trainings()))

    def decode(self, size, contender):
        """The entry of the decode pass, or None."""
        found = [entry for entry in self.entries if entry["kind"] == "decode"
                 and (entry["size"], entry["contender"]) == (size, contender)]
        return found[0] if found else None

    def speeds(self, size, contender, work, batch):
        """Tokens/s of each round; empty if it was not measured. `work` is "bench" or "task"."""
        entry = self.decode(size, contender)
        return [one[work][str(batch)] for one in entry["rounds"]] if entry else []

    def ratios(self, size, contender, work, batch):
        """Of each round: the speed over dense's in that round."""
        own, dense = self.speeds(size, contender, work, batch), self.speeds(size, "dense", work, batch)
        return [a / b for a, b in zip(own, dense)] if len(own) == len(dense) else []


def dense_entries(entry):
    """What a model that is `full` in every layer lists in a sequence as long: layers x T."""
    layers = len(entry["compiled"]["entries_by_layer"])
    return layers * entry["size"]
