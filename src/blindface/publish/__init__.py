"""Publishing an experiment: what a repository keeps of it, without a single photograph.

models/<objective>.safetensors   averaged weights in half precision, fit for `load_generator`
models/<objective>.md            the model card: data, training, results, limits, use, licence, SHA-256
models/<objective>.json          its SHA-256 and the metrics of a few named test images, to check the file by
models/<objective>.png           what it makes of rendered faces, step by step; restored.png: both models
<results>/                       tables, per-image values, curves, charts, parameters, versions, cost of each stage
"""

from blindface.publish.card import write_card
from blindface.publish.model import publish_model
from blindface.publish.results import publish_results
from blindface.publish.sample import write_overview, write_sample

__all__ = ["publish_model", "publish_results", "write_card", "write_overview", "write_sample"]
