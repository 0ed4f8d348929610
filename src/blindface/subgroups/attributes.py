"""The stage `blindface attributes`: labels of the photographs from the source that the parameters choose.

`data/attributes.parquet` has the columns of `blindface.subgroups.labels`, sorted by id. Its metadata name the
source, or why there is none, so that no table can show labels without saying what they are.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from blindface.base.errors import ExternalFileError
from blindface.base.image_table import ImageTableWriter
from blindface.base.progress import say
from blindface.external.finder import Finder
from blindface.params import Params
from blindface.subgroups.kinds import SOURCES
from blindface.subgroups.labels import read_drawn, read_official, read_predicted

FILES = {"official": "attributes", "predicted": "predicted_attributes"}
"""Names of the sources in the registry of external files."""
NUMBERS = ("yaw", "pitch")


def write_attributes(params: Params, archive: Path, output: Path, finder: Finder) -> tuple[str, str]:
    """Write the table of labels; returns the source and, where that is 'none', the reason.

    Errors: ExternalFileError if a source that was asked for cannot be had and fetch.missing is 'error'; InputError if
    its file is broken.
    """
    source, frame, reason = _choose(params, archive, finder)
    names = [name for name in frame if name != "id"]
    columns = {"id": pa.string()} | {name: pa.float64() if name in NUMBERS else pa.string() for name in names}
    frame = frame.sort_values("id")
    with ImageTableWriter(output, columns, metadata={"source": source, "reason": reason}) as writer:
        writer.append({name: pa.array(frame[name], type=kind) for name, kind in columns.items()}, {})
    say(f"{output}: {SOURCES[source]}" + (f" ({reason})" if reason else f", {len(frame):,} photographs"))
    return source, reason


def _choose(params: Params, archive: Path, finder: Finder) -> tuple[str, pd.DataFrame, str]:
    wanted, photographs = params.subgroups.attributes, params.fetch.source
    nothing = pd.DataFrame({"id": pd.Series(dtype="string")})
    if wanted == "none":
        return "none", nothing, "labels were not asked for: subgroups.attributes is 'none'"
    if wanted == "auto" and photographs == "embedded":
        return "drawn", read_drawn(archive), ""
    if not photographs.startswith("lfw"):
        return "none", nothing, f"the labels at hand are LFW's; the photographs are of the source '{photographs}'"
    tried = []
    sources = ("official", "predicted") if wanted == "auto" else (wanted,)
    finder.prepare(FILES[source] for source in sources)
    for source in sources:
        try:
            path = finder.find(FILES[source]).path
        except ExternalFileError as error:
            if wanted != "auto" and params.fetch.missing == "error":
                raise
            tried.append(str(error))
            continue
        return source, (read_official if source == "official" else read_predicted)(path), ""
    return "none", nothing, "; ".join(tried)
