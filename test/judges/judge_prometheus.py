"""prometheus_client, the library of Prometheus for Python: reads what a scrape was answered with the parser that its content type names."""

from importlib import metadata

from prometheus_client import parser as text_format
from prometheus_client.openmetrics import parser as openmetrics

VERSION = metadata.version("prometheus_client")

PARSERS = {
    ("text/plain", "0.0.4"): text_format.text_string_to_metric_families,
    ("application/openmetrics-text", "1.0.0"): openmetrics.text_string_to_metric_families,
}


def read(contentType, body):
    kind, *parameters = [part.strip() for part in contentType.split(";")]
    versions = [part.removeprefix("version=") for part in parameters if part.startswith("version=")]
    families = PARSERS[(kind, *versions)](body)
    return {
        "families": [
            {
                "name": family.name,
                "type": family.type,
                "help": family.documentation,
                # JSON has no words for what is no finite number.
                "samples": [[one.name, one.labels, repr(float(one.value))] for one in family.samples],
            }
            for family in families
        ]
    }
