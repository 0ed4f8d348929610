#!/usr/bin/env bash
# BLINDFACE_ROOT is set by the Snakefile.
set -euo pipefail
python -m pip install --requirement "$BLINDFACE_ROOT/requirements.lock"
# The build of OpenCV that needs no libGL, over the one that face-alignment brings.
python -m pip install --no-deps --force-reinstall "$(grep '^opencv-python-headless==' "$BLINDFACE_ROOT/requirements.lock")"
python -m pip install --no-deps --editable "$BLINDFACE_ROOT"
