# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs programs of the build."""

import os
import subprocess
import sys


def caller(folder):
    """A function that runs a program of `folder`, given its words: (stdout, stderr). One that fails ends this one with
    its message."""
    def call(words):
        command = [os.path.join(folder, words[0])] + words[1:]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            sys.exit(f"error: cannot run '{command[0]}': {error.strerror}; --bin says where the programs are")
        if done.returncode:
            sys.exit(done.stderr.strip() or f"error: {command[0]} ended with status {done.returncode}")
        return done.stdout, done.stderr
    return call
