"""Runs stages in forked processes, and makes a chosen call to the system fail or kill the process.

Reads one JSON object a line: the stage, its words, the folder whose files count, and the fault, {"call", "number", "what"}, or
none. Answers with the exit status, what was said, how many calls of each kind there were, and whether the fault was reached.
Nothing runs in this process itself, so a stage starts in a fraction of a second, with torch imported and none of its threads
running.
"""

import builtins
import errno
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from importlib import import_module
from pathlib import Path

CALLS = ("open", "write", "fsync", "close", "replace", "unlink", "mkdir")


class Faults:
    """Counts the calls that change files below a folder, and answers one of them with a fault, which leaves a mark."""

    def __init__(self, folder: str, fault: dict | None, mark: Path):
        self.folder, self.fault, self.mark, self.counts = folder, fault or {}, mark, Counter()

    def call(self, name: str, path, perform, partly=None):
        if not str(path).startswith(self.folder):
            return perform()
        self.counts[name] += 1
        if (name, self.counts[name]) != (self.fault.get("call"), self.fault.get("number")):
            return perform()
        self.mark.touch()
        what = self.fault["what"]
        if what == "kill after":
            with suppress(OSError):  # a call that fails by itself is over too
                perform()
        elif partly:
            partly()
        if what.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, what)
        named = (str(path),) if name in ("open", "replace", "unlink", "mkdir") else ()  # as the system's own errors are
        raise OSError(number, os.strerror(number), *named)

    def install(self) -> None:
        real = {
            name: getattr(os, name)
            for name in ("open", "fsync", "close", "replace", "rename", "unlink", "rmdir", "mkdir")
        }

        def named(handle) -> str:
            try:
                return os.readlink(f"/proc/self/fd/{handle}")
            except OSError:
                return ""

        def at(path, folder=None) -> str:
            return (
                os.path.join(named(folder), os.fspath(path)) if folder is not None else os.path.abspath(os.fspath(path))
            )

        def opened(path, flags, mode=0o777, *, dir_fd=None):
            def perform():
                return real["open"](path, flags, mode, dir_fd=dir_fd)

            return self.call("open", at(path, dir_fd), perform) if flags & os.O_CREAT else perform()

        def closed(handle):
            path = named(handle)
            if os.path.isdir(path):  # nothing is written to one
                return real["close"](handle)
            partly = (lambda: real["close"](handle)) if self.fault.get("what", "").startswith("E") else None
            return self.call("close", path, lambda: real["close"](handle), partly)

        def removed(name):
            return lambda path, *, dir_fd=None: self.call(
                "unlink", at(path, dir_fd), lambda: real[name](path, dir_fd=dir_fd)
            )

        os.open, os.close = opened, closed
        os.fsync = lambda handle: self.call("fsync", named(handle), lambda: real["fsync"](handle))
        for name in ("replace", "rename"):
            setattr(os, name, lambda old, new, name=name: self.call("replace", at(new), lambda: real[name](old, new)))
        os.unlink = os.remove = removed("unlink")
        os.rmdir = removed("rmdir")
        os.mkdir = lambda path, mode=0o777, *, dir_fd=None: self.call(
            "mkdir", at(path, dir_fd), lambda: real["mkdir"](path, mode, dir_fd=dir_fd)
        )
        plain = builtins.open

        def open_(file, mode="r", *arguments, **options):
            if isinstance(file, int) or not set(mode) & set("wax+"):
                return plain(file, mode, *arguments, **options)
            path = at(file)
            stream = self.call("open", path, lambda: plain(file, mode, *arguments, **options))
            return Stream(stream, path, self) if path.startswith(self.folder) else stream

        builtins.open = open_


class Stream:
    """A file whose writing and closing count."""

    def __init__(self, stream, path: str, faults: Faults):
        self._stream, self._path, self._faults = stream, path, faults

    def write(self, content):
        def half():
            self._stream.write(content[: len(content) // 2])
            self._stream.flush()

        return self._faults.call("write", self._path, lambda: self._stream.write(content), half)

    def close(self):
        if not self._stream.closed:
            self._faults.call("close", self._path, self._stream.close, self._stream.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __iter__(self):
        return iter(self._stream)

    def __getattr__(self, name):
        return getattr(self._stream, name)


def child(request: dict, report: Path, mark: Path) -> int:
    from asymflow.command import run

    faults = Faults(request["folder"], request["fault"], mark)
    faults.install()
    sys.argv = [request["stage"], *request["words"]]
    code = 0
    try:
        run(import_module(request["stage"]).main)
    except SystemExit as error:
        code = 0 if error.code is None else 1
        if code:
            print(error.code, file=sys.stderr)
    report.write_text(json.dumps(faults.counts), encoding="utf-8")
    return code


def main() -> None:
    import numpy  # noqa: F401
    import torch

    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    for stage in json.loads(sys.stdin.readline()):
        import_module(stage)
    for line in sys.stdin:
        with tempfile.TemporaryDirectory() as folder:
            report, said, mark = (Path(folder, name) for name in ("counts", "said", "reached"))
            process = os.fork()
            if process == 0:
                stream = os.open(said, os.O_WRONLY | os.O_CREAT)
                os.dup2(stream, 1)
                os.dup2(stream, 2)
                status = 70
                try:
                    status = child(json.loads(line), report, mark)
                except BaseException:
                    import traceback

                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(status)
            _, status = os.waitpid(process, 0)
            counts = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
            answer = {
                "status": os.waitstatus_to_exitcode(status),
                "said": said.read_text(encoding="utf-8"),
                "counts": counts,
                "reached": mark.exists(),
            }
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
