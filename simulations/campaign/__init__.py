"""Many runs: what is to be run, and where: on processes here, or on a cluster."""

from simulations.campaign.fingerprint import fingerprint
from simulations.campaign.processes import run_on_processes
from simulations.campaign.task import Broken, Finished, Refused, Result, Task, play

__all__ = [
    "Broken",
    "Finished",
    "Refused",
    "Result",
    "Task",
    "fingerprint",
    "play",
    "run_on_processes",
]
