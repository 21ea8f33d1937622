"""delta-rs: log and Parquet files in Rust, with its own query engine."""

import json

import deltalake
import pyarrow
import pyarrow.parquet

VERSION = deltalake.__version__


def read(root, version, query, out):
    table = deltalake.DeltaTable(root, version=version)
    fields = json.loads(table.schema().to_json())["fields"]
    rows = deltalake.QueryBuilder().register("t", table).execute(query or "SELECT * FROM t")
    found = pyarrow.table(rows.read_all() if hasattr(rows, "read_all") else rows)
    if query is None:
        found = in_order(found, [field["name"] for field in fields])
    if out is not None:
        named = found.rename_columns([f"c{i}" for i in range(found.num_columns)])
        pyarrow.parquet.write_table(named, out)
    return {
        "version": table.version(),
        "schema": [{"name": f["name"], "type": f["type"], "nullable": f["nullable"]} for f in fields],
        "partitionColumns": table.metadata().partition_columns,
    }


def in_order(table, names):
    """The engine puts partition columns last, wherever the schema has them."""
    return table.select([table.column_names.index(name) for name in names])
