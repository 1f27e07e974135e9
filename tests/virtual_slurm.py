"""A SLURM of two nodes on one machine, started and ended by whoever runs the tests: munge, slurmctld, two slurmd.

It needs root, and the Debian packages slurm-wlm and munge. The nodes have two GPUs each, which are none: devices that every
machine has, as SLURM refuses to count what has no file.
"""

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

PLACE = Path("/etc/slurm")  # where jobs look: the executor plugin hides SLURM_CONF from them
NODES = ("node1", "node2")
GPUS = {"node1": "/dev/null,/dev/zero", "node2": "/dev/full,/dev/random"}
ACCOUNTS = "#!/bin/sh\necho my_account\n"  # without a database of accounts sacctmgr has no answer
CONFIGURATION = """
ClusterName=trial
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmctldPort=26817
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
SlurmdTimeout=20
KillWait=30
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port=26821 CPUs=8 RealMemory=60000 Gres=gpu:2 State=UNKNOWN
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port=26822 CPUs=8 RealMemory=60000 Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1
PartitionName=gpu Nodes=ALL MaxTime=INFINITE PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=9
"""


class Cluster:
    """The daemons, and what a user asks of them."""

    def __init__(self, folder: Path):
        self.folder = folder
        host = subprocess.check_output(["hostname", "-s"], text=True).strip()
        for name in ("state", "commands", *(f"spool-{node}" for node in NODES)):
            (folder / name).mkdir(parents=True)
        (folder / "slurm.conf").write_text(CONFIGURATION.format(host=host, folder=folder))
        gres = (f"NodeName={node} Name=gpu File={file}" for node in NODES for file in GPUS[node].split(","))
        (folder / "gres.conf").write_text("\n".join(gres) + "\n")
        (folder / "commands" / "sacctmgr").write_text(ACCOUNTS)
        (folder / "commands" / "sacctmgr").chmod(0o755)
        self.environment = os.environ | {"PATH": f"{folder}/commands:{os.environ['PATH']}"}
        self.daemons: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> "Cluster":
        PLACE.mkdir(exist_ok=True)
        for name in ("slurm.conf", "gres.conf"):
            (PLACE / name).symlink_to(self.folder / name)  # fails where there is a SLURM already
        self.munge = subprocess.run(["pgrep", "-x", "munged"], check=False).returncode == 0
        if not self.munge:
            os.makedirs("/run/munge", exist_ok=True)
            shutil.chown("/run/munge", "munge", "munge")
            self._start("munged", "runuser", "-u", "munge", "--", "munged", "--foreground")
            time.sleep(2)
        self._start("slurmctld", "slurmctld", "-D")
        time.sleep(2)
        for node in NODES:
            self.start(node)
        self.wait_until(lambda: self.states() == dict.fromkeys(NODES, "idle"), 60, "idle nodes")
        return self

    def __exit__(self, *_: object) -> None:
        self.ask("scancel", "--me")
        self.wait_until(lambda: not self.ask("squeue", "-h"), 60, "an empty queue")
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            daemon.wait()
        for name in ("slurm.conf", "gres.conf"):
            (PLACE / name).unlink()

    def _start(self, name: str, *command: str) -> None:
        log = open(self.folder / f"{name}.out", "a", encoding="utf-8")  # noqa: SIM115  (as long as the daemon lives)
        self.daemons[name] = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def start(self, node: str) -> None:
        """Starts a node's daemon."""
        self._start(node, "slurmd", "-D", "-N", node)

    def kill(self, node: str) -> None:
        """What a node does whose power fails: its daemon and its job are gone at once, and nobody is left to say how it ended.

        The other node must have no job: which node a job's keeper is of cannot be told.
        """
        self.daemons[node].kill()
        self.daemons[node].wait()
        processes = [
            (int(path.name), _read(path / "cmdline"), _read(path / "environ")) for path in Path("/proc").glob("[0-9]*")
        ]
        for number, command, _ in processes:
            if command.startswith(b"slurmstepd"):
                _kill(number)
        for number, _, variables in processes:
            if f"SLURMD_NODENAME={node}".encode() in variables.split(b"\0"):
                _kill(number)

    def ask(self, *command: str) -> str:
        """What a command of SLURM answers."""
        result = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return result.stdout.strip()

    def states(self) -> dict[str, str]:
        """The nodes' states."""
        return dict(line.split() for line in self.ask("sinfo", "-h", "-N", "-p", "cpu", "-o", "%N %T").splitlines())

    def jobs(self) -> dict[str, tuple[str, str, str]]:
        """The jobs in the queue: state, how often requeued, and comment, which names the rule."""
        lines = self.ask("squeue", "-h", "-O", "JobID:|,StateCompact:|,RestartCnt:|,Comment:").splitlines()
        return {job.strip(): tuple(map(str.strip, others)) for job, *others in (line.split("|") for line in lines)}

    def wait_until(self, holds, seconds: float, what: str) -> None:
        """Returns when it holds. Raises TimeoutError when it does not in so many seconds."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(
                    f"no {what} in {seconds:.0f} s: {self.states()} {self.jobs()}; logs are in {self.folder}"
                )
            time.sleep(0.5)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # it has ended, or is none of ours
        return b""


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, 9)
