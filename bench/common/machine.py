# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a measurement has to say of where it was made."""

import datetime
import os
import platform
import subprocess


def first_value(path, key):
    """The value of the first line `key: value` of a file, or ""."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return ""


def threads():
    """The CPUs that this process may use."""
    return sorted(os.sched_getaffinity(0))


def describe():
    """The machine as a dictionary: model, cores, memory in bytes, kernel, what of AVX-512 and AMX it has."""
    flags = first_value("/proc/cpuinfo", "flags").split()
    wanted = ["avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16"]
    kilobytes = first_value("/proc/meminfo", "MemTotal").split()
    return {
        "cpu": first_value("/proc/cpuinfo", "model name"),
        "family": first_value("/proc/cpuinfo", "cpu family"),
        "model": first_value("/proc/cpuinfo", "model"),
        "vendor": first_value("/proc/cpuinfo", "vendor_id"),
        "cores": len(threads()),
        "memory_bytes": int(kilobytes[0]) * 1024 if kilobytes else 0,
        "kernel": platform.release(),
        "features": [flag for flag in wanted if flag in flags],
    }


def commit(root):
    """The checkout's commit, with "+changes" if tracked files differ from it."""
    def git(*arguments):
        done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    name = git("rev-parse", "--short", "HEAD") or "unknown"
    return name + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def now():
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def load():
    """The load average of the last minute."""
    return os.getloadavg()[0]
