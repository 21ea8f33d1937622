"""An operator of Airflow that runs one command of sluice, and decides by its exit code and JSON events."""

import json
import os
import signal
import subprocess

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.models import BaseOperator

# docs/reference/EXIT-CODES.md: what no second try of the same command changes.
FINAL = {2, 5, 6, 70}


class SluiceOperator(BaseOperator):
    """Runs `sluice WORDS --json`.

    :param words: the command without its program, such as ``["copy", "--from", "shop", "--to", "archive"]``
    :param env: variables with URLs; words stay free of passwords
    :returns: totals of the run, such as rows, as a dictionary of texts
    :raises AirflowFailException: for exit codes that a retry does not change
    :raises AirflowException: for all others; the retry goes on from the checkpoint
    """

    template_fields = ("words",)

    def __init__(self, *, words, env=None, program="sluice", **rest):
        super().__init__(**rest)
        self.words = words
        self.env = env or {}
        self.program = program
        self._process = None

    def execute(self, context):
        self._process = subprocess.Popen(
            [self.program, *self.words, "--json"],
            env={**os.environ, **self.env},
            stdout=subprocess.PIPE,
            text=True,
        )
        finished = {}
        for line in self._process.stdout:
            event = json.loads(line)
            if event["type"] == "run.finished":
                finished = event
            elif event["type"] == "log":
                self.log.info("%s: %s", event["level"], event["message"])
        code = self._process.wait()
        if code == 0:
            return finished.get("totals", {})
        error = finished.get("error", {})
        said = " ".join(str(error[part]) for part in ("code", "message", "hint") if part in error)
        kind = AirflowFailException if code in FINAL else AirflowException
        raise kind(f"sluice ended with {code}: {said}")

    def on_kill(self):
        """Ends the run after its batch."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
