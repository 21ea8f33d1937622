"""polars: its own Parquet reader and engine over the log that delta-rs reads."""

import polars

VERSION = polars.__version__

PLAIN = {
    polars.String: "string",
    polars.Int8: "byte",
    polars.Int16: "short",
    polars.Int32: "integer",
    polars.Int64: "long",
    polars.Float32: "float",
    polars.Float64: "double",
    polars.Boolean: "boolean",
    polars.Binary: "binary",
    polars.Date: "date",
}


def read(root, version, query, out):
    lazy = polars.scan_delta(root, version=version)
    schema = lazy.collect_schema()
    found = lazy.collect() if query is None else polars.SQLContext(t=lazy).execute(query, eager=True)
    if out is not None:
        found.rename({name: f"c{i}" for i, name in enumerate(found.columns)}).write_parquet(out)
    return {
        "version": version,
        "schema": [{"name": name, "type": type_of(kind), "nullable": None} for name, kind in schema.items()],
        "partitionColumns": None,
    }


def type_of(kind):
    if isinstance(kind, polars.Decimal):
        return f"decimal({kind.precision},{kind.scale})"
    if isinstance(kind, polars.Datetime):
        return "timestamp_ntz" if kind.time_zone is None else "timestamp"
    return PLAIN.get(type(kind), PLAIN.get(kind, str(kind)))
