#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""install_test.py --cmake ... --build ... CASE: the build installed, moved, and used from there.

The case `tree` installs and compiles a small model, the others work on what it left in BUILD/install-test.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

TOOLS = ["bench", "compile", "init", "inspect", "lsp-server", "opt", "run", "serve", "train", "train-tokenizer"]
PROMPT = "The quick brown fox"
PASSED_ON = ["PATH", "HOME", "ASAN_OPTIONS", "ASAN_SYMBOLIZER_PATH", "UBSAN_OPTIONS"]
CONFIG = {"model_type": "chimera", "vocab_size": 256, "hidden_size": 32, "num_hidden_layers": 2,
          "intermediate_size": 48, "num_attention_heads": 2, "head_dim": 16, "window": 8,
          "ssm": {"state_size": 8, "head_dim": 16}}


def check(condition, message):
    if not condition:
        sys.exit(f"FAILED: {message}")


class Tree:
    """Where things are, and commands as someone else's shell would run them."""

    def __init__(self, options):
        self.options = options
        self.work = pathlib.Path(options.build) / "install-test"
        self.prefix = self.work / "moved"
        self.bin = self.prefix / "bin"
        self.lib = options.libdir
        self.model = self.work / "model"

    def run(self, *command, expect=0, text=True, **environment):
        """The standard output of a command that must end with status `expect`. Only what a login shell sets is set."""
        env = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        result = subprocess.run([str(part) for part in command], cwd=self.work, env={**env, **environment},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=text, timeout=600)
        check(result.returncode == expect, f"{' '.join(map(str, command))}: status {result.returncode}\n"
              f"{result.stdout}{result.stderr}")
        return result.stdout

    def install(self, prefix, *more, **environment):
        self.run(self.options.cmake, "--install", self.options.build, "--prefix", prefix, *more, **environment)

    def sanitizers(self):
        """What a program needs that links a library built with sanitizers."""
        return ["-fsanitize=address,undefined"] if self.options.sanitize else []

    def continuation(self, run):
        """What chimera-run, the program `run`, prints after the prompt, the prompt with it."""
        return self.run(run, self.model / "m.chm", "--weights", self.model / "model.safetensors", "--prompt", PROMPT,
                        "--max-new-tokens", "12", text=False)

    def check_embed(self, program, **environment):
        """The example program continues the prompt as chimera-run does."""
        ids = [str(byte) for byte in PROMPT.encode()]
        out = self.run(program, self.model / "m.chm", self.model / "model.safetensors", "12", *ids, **environment)
        found = PROMPT.encode() + bytes(int(word) for word in out.split()) + b"\n"
        expected = self.continuation(self.bin / "chimera-run")
        check(found == expected, f"{program} gives {found}, chimera-run {expected}")
        check(len(found) == len(PROMPT) + 12 + 1, f"{program} gives {len(found)} bytes")


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def tree(test):
    """The files are there, none names the place that it was installed to, and the compiler works after the move."""
    shutil.rmtree(test.work, ignore_errors=True)
    test.model.mkdir(parents=True)
    first = test.work / "first"
    test.install(first)
    first.rename(test.prefix)
    found = files(test.prefix)
    abi = re.search(r"CHIMERA_ABI_VERSION (\d+)", (test.prefix / "include/chimera.h").read_text()).group(1)
    lib = test.lib
    expected = {"include/chimera.h", f"{lib}/libchimera.so", f"{lib}/libchimera.so.{abi}",
                f"{lib}/pkgconfig/chimera.pc", "libexec/chimera/render-chat.py",
                f"{lib}/cmake/chimera/chimera-config.cmake", f"{lib}/cmake/chimera/chimera-config-version.cmake",
                "share/doc/chimera/LICENSE", "share/doc/chimera/CHANGELOG.md", "share/doc/chimera/SECURITY.md",
                "share/doc/chimera/docs/model.md", "share/doc/chimera/examples/embed/embed.c"}
    for tool in TOOLS:
        expected |= {f"bin/chimera-{tool}", f"share/man/man1/chimera-{tool}.1",
                     f"share/bash-completion/completions/chimera-{tool}"}
    if test.options.mpi:
        expected.add(f"{lib}/chimera/chimera_mpi.so")
    check(expected <= found, f"missing: {sorted(expected - found)}")
    places = [str(first).encode(), str(test.options.source).encode()]
    for name in sorted(found):
        # Debug information in programs and libraries names the sources, also through a library's other name.
        if not (name.startswith(("bin/", f"{lib}/libchimera.so", f"{lib}/chimera/")) or
                "/_native." in name and name.endswith(".so")):
            content = (test.prefix / name).read_bytes()
            check(not any(place in content for place in places), f"{name} names a folder of this build")
        else:  # Code may name sources in its assertions, but must not look for libraries there.
            dynamic = test.run(test.options.readelf, "-d", test.prefix / name)
            paths = re.findall(r"R(?:UN)?PATH.*\[(.*)\]", dynamic)
            check(not any(str(test.options.build) in path for path in paths), f"{name} looks for libraries in {paths}")
    (test.model / "config.json").write_text(json.dumps(CONFIG))
    test.run(test.bin / "chimera-init", test.model, "-o", test.model / "model.safetensors", "--seed", "3")
    test.run(test.bin / "chimera-compile", test.model, "-o", test.model / "m.chm", "--target=ref", "--max-tokens=16",
             "--max-seqs=2")


def header(test):
    """The header stands alone, in strict C and in C++."""
    flags = ["-fsyntax-only", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I", test.prefix / "include"]
    for language, standards, compiler in (("c", ["c99", "c11", "c17"], test.options.cc),
                                          ("c++", ["c++11", "c++17", "c++20"], test.options.cxx)):
        source = test.work / "header-alone"
        source.write_text("#include <chimera.h>\n#include <chimera.h>\n")
        for standard in standards:
            test.run(compiler, "-x", language, f"-std={standard}", *flags, source)


def cmake_package(test):
    """find_package finds the moved tree: the example builds as a project of its own. Other versions are refused."""
    source = test.prefix / "share/doc/chimera/examples/embed"
    build = test.work / "cmake-build"
    shutil.rmtree(build, ignore_errors=True)
    configure = [test.options.cmake, "-S", source, "-B", build, f"-DCMAKE_C_COMPILER={test.options.cc}",
                 f"-DCMAKE_PREFIX_PATH={test.prefix}", f"-DCMAKE_C_FLAGS={' '.join(test.sanitizers())}"]
    test.run(*configure)
    test.run(test.options.cmake, "--build", build)
    test.check_embed(build / "embed")

    other = test.work / "other-version"
    other.mkdir(exist_ok=True)
    for version, status in (("0.1", 0), ("0.2", 1), ("1.0", 1)):
        (other / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.22)\nproject(other LANGUAGES NONE)\n"
                                              f"find_package(chimera {version} REQUIRED CONFIG)\n")
        shutil.rmtree(other / "build", ignore_errors=True)
        test.run(test.options.cmake, "-S", other, "-B", other / "build", f"-DCMAKE_PREFIX_PATH={test.prefix}",
                 expect=status)


def pkg_config(test):
    """pkg-config finds the moved tree: the example builds with one compiler call."""
    path = {"PKG_CONFIG_PATH": str(test.prefix / test.lib / "pkgconfig")}
    flags = test.run("pkg-config", "--cflags", "--libs", "chimera >= 0.1", **path).split()
    program = test.work / "embed-pkg-config"
    test.run(test.options.cc, "-std=c99", *test.sanitizers(),
             test.prefix / "share/doc/chimera/examples/embed/embed.c", "-o", program, *flags)
    test.check_embed(program, LD_LIBRARY_PATH=str(test.prefix / test.lib))


def tools(test):
    """Every program starts from the moved tree, with its libraries, and shows its options."""
    for tool in TOOLS:
        out = test.run(test.bin / f"chimera-{tool}", "--help")
        check("--help" in out, f"chimera-{tool} --help prints {out[:200]}")
    check(test.continuation(test.bin / "chimera-run").startswith(PROMPT.encode()), "chimera-run continues the prompt")
    check("ssm" in test.run(test.bin / "chimera-inspect", test.model / "m.chm"), "chimera-inspect names the modes")
    (test.work / "messages.json").write_text(json.dumps([{"role": "user", "content": PROMPT}]))
    (test.work / "chat.jinja").write_text("{{ messages[0].content }}")
    answer = test.run(test.bin / "chimera-run", test.model / "m.chm", "--weights", test.model / "model.safetensors",
                      "--messages", test.work / "messages.json", "--chat-template", test.work / "chat.jinja",
                      "--max-new-tokens", "12", text=False)
    check(PROMPT.encode() + answer == test.continuation(test.bin / "chimera-run"), f"chimera-run answers {answer}")
    program = test.run(test.bin / "chimera-compile", test.model, "--emit=chimera", "-o", "-")
    (test.work / "model.mlir").write_text(program)
    check("chimera.mix" in test.run(test.bin / "chimera-opt", test.work / "model.mlir"), "chimera-opt prints the model")
    test.run(test.bin / "chimera-bench", test.model / "m.chm", "--random-weights", "--prefill", "4", "--repeats", "1")


def training(test):
    """chimera-train finds the compiler beside it, and the MPI plugin where it was installed: same bits with it."""
    (test.work / "text.txt").write_text("All that is read here is read again. " * 40)
    options = ["--data", test.work / "text.txt", "--steps", "2", "--batch", "2", "--seq", "8", "--target=ref",
               "--threads", "1"]
    for out in ("run", "run-of-ranks"):
        shutil.rmtree(test.work / out, ignore_errors=True)
    config = test.model / "config.json"
    test.run(test.bin / "chimera-train", config, "--out", test.work / "run", *options)
    check((test.work / "run/model.safetensors").exists(), "the trained model is there")
    mpirun = shutil.which("mpirun")
    if not test.options.mpi or not mpirun:
        return
    # What OpenMPI itself leaks is no concern here.
    test.run("env", "ASAN_OPTIONS=detect_leaks=0", mpirun, "--allow-run-as-root", "--oversubscribe", "--bind-to",
             "none", "-np", "2", test.bin / "chimera-train", config, "--out", test.work / "run-of-ranks", *options)
    one, two = ((test.work / out / "model.safetensors").read_bytes() for out in ("run", "run-of-ranks"))
    check(one == two, "two ranks give the bits of one")


def man_pages(test):
    """Every program has a page that groff reads without a warning and that names each option of --help."""
    for tool in TOOLS:
        page = test.prefix / f"share/man/man1/chimera-{tool}.1"
        warnings = subprocess.run(["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", page], stderr=subprocess.PIPE,
                                  text=True, check=True).stderr
        check(not warnings, f"{page}: {warnings}")
        text = page.read_text().replace("\\-", "-")
        for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS"):
            check(f"\n.SH {section}\n" in text, f"{page}: no section {section}")
        if tool in ("opt", "lsp-server"):
            continue  # Their options are MLIR's; the pages say so.
        shown = test.run(test.bin / f"chimera-{tool}", "--help")
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", shown))
        check(len(options) >= 3, f"chimera-{tool} --help shows {options}")
        missing = sorted(option for option in options if not re.search(rf"{option}(?![a-z0-9-])", text))
        check(not missing, f"docs/ and so {page} do not say what these options do: {missing}")


def completion(test):
    """bash completes a program's options, and only those that begin like the word."""
    script = test.prefix / "share/bash-completion/completions/chimera-run"
    program = test.bin / "chimera-run"  # bash gives the function the program's name.
    out = test.run("bash", "-c", f'source "{script}"; COMP_WORDS=("{program}" m.chm --to); COMP_CWORD=2; '
                   f'_chimera "{program}"; echo "${{COMPREPLY[@]}}"; COMP_WORDS[2]=m; _chimera "{program}"; '
                   'echo "${#COMPREPLY[@]}"')
    first, second = out.splitlines()
    check("--tokens" in first.split() and all(word.startswith("--to") for word in first.split()), f"--to: {first}")
    check(second == "0", f"a word that is no option: {second}")


def runtime_component(test):
    """The component `runtime` runs a model, and needs nothing of LLVM."""
    server = test.work / "server"
    shutil.rmtree(server, ignore_errors=True)
    test.install(server, "--component", "runtime")
    found = files(server)
    programs = {name for name in found if name.startswith("bin/")}
    check(programs == {"bin/chimera-run", "bin/chimera-serve", "bin/chimera-inspect"}, f"programs: {programs}")
    libraries = {name for name in found if name.startswith(f"{test.lib}/")}
    check(len(libraries) == 2 and all(name.startswith(f"{test.lib}/libchimera.so.") for name in libraries),
          f"libraries: {libraries}")
    check("share/doc/chimera/LICENSE" in found, "the licence")
    for name in programs | libraries:
        needed = re.findall(r"NEEDED.*\[(.*)\]", test.run(test.options.readelf, "-d", server / name))
        check(needed and not [library for library in needed if re.search("LLVM|MLIR|mpi", library)],
              f"{name} needs {needed}")
    check(test.continuation(server / "bin/chimera-run") == test.continuation(test.bin / "chimera-run"),
          "the same text")


def python(test):
    """The package works after the move, and finds the compiler that was installed with it."""
    package, = test.prefix.glob(f"{test.lib}/python*/site-packages/chimera")
    program = ("import chimera, sys\n"
               "chimera.compile(sys.argv[1], 'python.chm', target='ref', max_tokens=16, max_seqs=2)\n"
               "made = chimera.Model('python.chm', sys.argv[1]).generate(sys.argv[2], 12)\n"
               "sys.stdout.buffer.write(bytes(made.tokens.tolist()))")
    out = test.run(test.options.python, "-B", "-c", program, test.model, PROMPT, text=False, PYTHONPATH=package.parent)
    check(PROMPT.encode() + out + b"\n" == test.continuation(test.bin / "chimera-run"), f"Python continues with {out}")


def destdir(test):
    """DESTDIR stages what --prefix names; the components are all there is."""
    stage = test.work / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    test.install("/opt/chimera", DESTDIR=str(stage))
    check(files(stage / "opt/chimera") == files(test.prefix), "DESTDIR gives the same files")
    parts = test.work / "parts"
    shutil.rmtree(parts, ignore_errors=True)
    for component in ("runtime", "development", "tools", "documentation", *(["python"] if test.options.python else [])):
        test.install(parts, "--component", component)
    check(files(parts) == files(test.prefix), f"not in a component: {files(test.prefix) - files(parts)}")


CASES = {"tree": tree, "header": header, "cmake-package": cmake_package, "pkg-config": pkg_config, "tools": tools,
         "training": training, "man-pages": man_pages, "completion": completion,
         "runtime-component": runtime_component, "python": python, "destdir": destdir}


def main():
    parser = argparse.ArgumentParser()
    for name in ("cmake", "build", "source", "libdir", "cc", "cxx", "readelf"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--mpi", action="store_true")
    parser.add_argument("--python", help="the interpreter of the Python package, if it was built")
    parser.add_argument("case", choices=CASES)
    options = parser.parse_args()
    CASES[options.case](Tree(options))
    print(f"{options.case}: good")


if __name__ == "__main__":
    main()
