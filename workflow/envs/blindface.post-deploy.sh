#!/usr/bin/env bash
# BLINDFACE_ROOT is set by the Snakefile.
set -euo pipefail
python -m pip install --requirement "$BLINDFACE_ROOT/requirements.lock"
python -m pip install --no-deps --editable "$BLINDFACE_ROOT"
