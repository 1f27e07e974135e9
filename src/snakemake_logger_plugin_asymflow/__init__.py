"""What a run shows: on a terminal a live view of its running jobs, elsewhere a plain line when something happens.

A plugin of Snakemake's (`--logger asymflow`), which the profiles choose; with `--verbose` or `-p` it speaks as Snakemake does.
"""

import sys
import threading
import time
from logging import LogRecord

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_asymflow.jobs import Job, duration, last_lines

PLAIN_SECONDS = 60  # between two lines on how far the running jobs are
MEND = "Mend it and give the same command again: what is done stays, and a training goes on where it was."
SHOWN_OTHERWISE = {  # events that say nothing to a reader, or that the view shows in its own way
    LogEvent.RUN_INFO,
    LogEvent.SHELLCMD,
    LogEvent.WORKFLOW_STARTED,
    LogEvent.RESOURCES_INFO,
    LogEvent.DEBUG_DAG,
    LogEvent.RULEGRAPH,
    LogEvent.GROUP_INFO,
    LogEvent.GROUP_ERROR,
    LogEvent.JOB_STARTED,
}
UNTOLD = (  # beginnings of messages, likewise; a failed job's whole command is in Snakemake's log
    "Assuming ",
    "Building DAG",
    "Config file ",
    "Execute ",
    "Provided ",
    "RuleException:\nCalledProcessError",
    "Rules claiming",
    "Select jobs to execute",
    "Using shell",
)


class LogHandler(LogHandlerBase):
    """Keeps the running jobs, and shows them. A dry run, and one that is asked for more words, speaks as Snakemake does."""

    writes_to_stream, writes_to_file = True, False
    has_filter, has_formatter, needs_rulegraph = False, False, False

    def __post_init__(self) -> None:
        settings = self.common_settings
        self.verbatim = settings.dryrun or settings.verbose or settings.printshellcmds or settings.debug_dag
        self.console = Console(file=sys.stdout if settings.stdout else sys.stderr, highlight=False, soft_wrap=True)
        self.jobs: dict[int, Job] = {}
        self.done, self.total, self.began = 0, 0, time.monotonic()
        self.live = None
        if not self.verbatim and self.console.is_terminal:
            self.live = Live(get_renderable=self.view, console=self.console, refresh_per_second=2, transient=True)
        elif not self.verbatim:
            threading.Thread(target=self._tell_now_and_then, daemon=True).start()

    def emit(self, record: LogRecord) -> None:
        told = vars(record)  # an event has its own fields beside those of all records
        event = told.get("event")
        if self.verbatim:
            self._say(self.format(record))
        elif event == LogEvent.JOB_INFO:
            job = Job(told["rule_name"], told["wildcards"] or {}, next(iter(told["log"]), None))
            self.jobs[told["jobid"]] = job
            if self.live:
                self.live.start()  # with the first job: what lists or checks things has no view
            else:
                self._say(f"begins: {job}" + (f"  (log: {job.log})" if job.log else ""))
        elif event == LogEvent.JOB_FINISHED:
            if job := self.jobs.pop(told["job_id"], None):
                self._say(f"done: {job}, {job.took}")
        elif event == LogEvent.PROGRESS:
            self.done, self.total = told["done"], told["total"]
            if not self.live:
                self._say(self.summary())
        elif event == LogEvent.JOB_ERROR:
            self._failed(**told)
        elif event not in SHOWN_OTHERWISE and (text := self.format(record)) and not text.lstrip().startswith(UNTOLD):
            self._say(text)

    def close(self) -> None:
        if self.live:
            self.live.stop()
            self.live = None
        super().close()

    def summary(self) -> str:
        """How far the run is as a whole."""
        return f"{self.done} of {self.total} steps done, {duration(time.monotonic() - self.began)}"

    def view(self) -> RenderableType:
        """The running jobs, one a line, over how far the run is."""
        table = Table.grid(padding=(0, 2))
        for job in list(self.jobs.values()):
            table.add_row(
                Text(str(job), style="bold"), Text(job.took), Text(job.progress), Text(job.log or "", style="dim")
            )
        return Group(table, Text(self.summary() if self.total else ""))

    def _failed(self, *, jobid: int, rule_name: str, rule_msg: str | None, log: list[str], **_: object) -> None:
        job = self.jobs.pop(jobid, None) or Job(rule_name, {}, None)
        self._say(f"failed: {job}")
        self._say(str(rule_msg or ""))
        self._say(last_lines(log))
        self._say(MEND)

    def _tell_now_and_then(self) -> None:
        while True:
            time.sleep(PLAIN_SECONDS)
            for job in list(self.jobs.values()):
                if progress := job.progress:
                    self._say(f"{job}: {progress}")

    def _say(self, text: str) -> None:
        if text and text.strip():
            if self.live and self.live.is_started:
                self.live.refresh()  # or what has ended would stand below once more
            self.console.print(Text(text.rstrip(), style="red" if text.startswith("failed") else ""))
