#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""render-chat.py: renders a chat template for chimera-run or chimera-serve, which start it with a socket as its
standard input and output.

Lines of JSON. The first request has the template; its answer is {} or {"error": ...}. Each further request has the
messages and the variables of one rendering; its answer is {"text": ...} or {"error": ...}. An error is one of two kinds:
"setup" (jinja2 is missing) or "template" (what the template did). The end of the input ends the program.

A template may come from anyone. So Jinja's sandbox runs it, without a loader; this process can open no file, start no
program, and has little memory and time. When the time is over, SIGPROF ends the process.
"""
import datetime
import json
import resource
import signal
import sys
import time

SECONDS = 2  # Of the CPU: a busy machine is not the template's fault.
MEMORY_BYTES = 256 << 20
MOST_CHARACTERS = 16 << 20


def say(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


try:
    import jinja2
    import jinja2.debug  # Loaded now, since later no file can be opened.
    import jinja2.ext
    import jinja2.sandbox
except ImportError as error:
    say({"error": str(error), "kind": "setup"})
    sys.exit(0)


class Generation(jinja2.ext.Extension):
    """{% generation %} ... {% endgeneration %}: what training is to learn; here it is text like any other."""

    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def raise_exception(message):
    raise jinja2.TemplateError(message)


def strftime_now(form):
    return datetime.datetime.now().strftime(form)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    """JSON as it is: Jinja's own filter escapes what HTML would take for its own."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols, Generation])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = strftime_now
    return made


def describe(error):
    """One line that says what is wrong, and where if that is known."""
    if isinstance(error, MemoryError):
        return "it takes more memory than a template may have"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    line = f"line {error.lineno}: " if isinstance(error, jinja2.TemplateSyntaxError) else ""
    return (line + (str(error).strip() or type(error).__name__))[:1000]


def limited(action):
    """What `action` gives, within the limits; an answer that says what went wrong otherwise."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return action()
    except Exception as error:  # Whatever a template raises is the template's fault.
        return {"error": describe(error), "kind": "template"}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def render(template, request):
    # Well-known templates ask whether these are none.
    text = template.render(tools=None, documents=None, add_generation_prompt=True, messages=request["messages"],
                           **request["variables"])
    if len(text) > MOST_CHARACTERS:
        return {"error": f"its text is longer than {MOST_CHARACTERS} characters", "kind": "template"}
    return {"text": text.encode("utf-8", "replace").decode()}  # JSON knows halves of characters, UTF-8 does not.


def shut_in():
    """From now on this process can do no more than compute."""
    time.localtime()  # Reads the time zone.
    try:  # What Jinja loads for its first string and its first error.
        environment().from_string("{{ raise_exception('\\u00e9') }}").render()
    except jinja2.TemplateError:
        pass
    for limit, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0),
                        (resource.RLIMIT_NPROC, 0), (resource.RLIMIT_NOFILE, 3)):
        hard = resource.getrlimit(limit)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))


def main():
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    shut_in()
    template = None
    for line in sys.stdin:
        request = json.loads(line)
        if template is None:
            made = limited(lambda: environment().from_string(request["template"]))
            template = made if isinstance(made, jinja2.Template) else None
            say({} if template else made)
        else:
            say(limited(lambda: render(template, request)))


main()
