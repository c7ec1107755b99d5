"""What a Prometheus server would see of a backend."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from tabs import Fetch

from netra_ws.serving.server import Backend


class Scrape:
    """The metrics of a backend at one moment; `netra_ws_` stands before every name."""

    def __init__(self, text: str) -> None:
        self.families: list[Metric] = list(text_string_to_metric_families(text))

    def value(self, name: str, **labels: str) -> float:
        """Return the sample with that name and exactly these labels; 0 if there is none."""
        for family in self.families:
            for sample in family.samples:
                if (sample.name, sample.labels) == (f"netra_ws_{name}", labels):
                    return float(sample.value)
        return 0.0

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return the samples with that name by one of their labels."""
        return {
            sample.labels[label]: sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == f"netra_ws_{name}"
        }


async def scrape(fetch: Fetch, backend: Backend) -> Scrape:
    """Ask for the metrics; raises `ValueError` if they are not in the Prometheus text format."""
    answer = await fetch(backend.url, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return Scrape(answer.body.decode())
