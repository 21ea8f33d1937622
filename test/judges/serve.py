"""Answers questions with one outside reader, one JSON line each, until its input ends.

Usage: serve.py deltalake|polars|delta-spark|duckdb|prometheus
Question of a Delta table: {"root": folder, "version": number or null, "query": SQL over `t` or null, "out": Parquet file or null}
Answer: {"version", "schema": [{"name", "type", "nullable"}], "partitionColumns"} or {"refused": reason}. The rows are in `out`; its columns are
c0, c1 ... in the order of the schema, because Parquet readers take names that differ only in case for one.
Question of prometheus: {"contentType", "body"} of a scrape. Answer: {"families": [{"name", "type", "help", "samples": [[name, labels, value]]}]} or {"refused": reason}
"""

import importlib
import json
import os
import sys

# Libraries and their child programs print to standard output; answers have a channel of their own.
ANSWERS = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def say(answer):
    ANSWERS.write(json.dumps(answer) + "\n")
    ANSWERS.flush()


def main():
    name = sys.argv[1]
    judge = importlib.import_module("judge_" + name.replace("-", "_"))
    say({"name": name, "version": judge.VERSION})
    for line in sys.stdin:
        question = json.loads(line)
        try:
            say(judge.read(**question))
        # Panics of a reader's native code are no Exception.
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            say({"refused": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
