"""DuckDB of PyPI with its delta extension, which reads the log with delta-kernel-rs."""

import os

import duckdb
import duckdb_extension_delta

VERSION = duckdb.__version__
CONNECTION = duckdb.connect(config={"threads": 2})
FOLDER = os.path.join(os.path.dirname(duckdb_extension_delta.__file__), "extensions", f"v{duckdb.__version__}")
CONNECTION.execute(f"LOAD '{os.path.join(FOLDER, 'delta.duckdb_extension')}'")
CONNECTION.execute("SET TimeZone = 'UTC'")

PLAIN = {
    "VARCHAR": "string",
    "TINYINT": "byte",
    "SMALLINT": "short",
    "INTEGER": "integer",
    "BIGINT": "long",
    "FLOAT": "float",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "BLOB": "binary",
    "DATE": "date",
    "TIMESTAMP": "timestamp_ntz",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}


def read(root, version, query, out):
    at = "" if version is None else f", version = {version}"
    scan = f"delta_scan('{root.replace(chr(39), chr(39) * 2)}'{at})"
    described = CONNECTION.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
    CONNECTION.execute(f"CREATE OR REPLACE TEMP VIEW t AS FROM {scan}")
    wanted = query or "SELECT * FROM t"
    if out is not None:
        columns = len(CONNECTION.execute(f"DESCRIBE {wanted}").fetchall())
        names = ", ".join(f"c{i}" for i in range(columns))
        CONNECTION.execute(f"COPY (SELECT {names} FROM ({wanted}) AS found({names})) TO '{out}' (FORMAT parquet)")
    return {
        "version": version,
        "schema": [{"name": row[0], "type": type_of(row[1]), "nullable": None} for row in described],
        "partitionColumns": None,
    }


def type_of(kind):
    return PLAIN.get(kind, kind.lower())
