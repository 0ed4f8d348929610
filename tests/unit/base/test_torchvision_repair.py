"""The repair of torchvision beside a CPU build of torch; each case in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _imports_by_itself() -> bool:
    code = "import torchvision"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120, check=False).returncode == 0


REPAIR = "from blindface.base.torchvision_repair import repair; repair(); "


def test_torchvision_imports_after_the_repair() -> None:
    assert _run(REPAIR + "import torchvision; print(torchvision.models.vgg19.__name__)") == "vgg19"


def test_repair_works_after_a_failed_import() -> None:
    tried = "import contextlib\nwith contextlib.suppress(Exception): import torchvision\n"
    assert _run(tried + REPAIR + "import torchvision.transforms; print('ok')") == "ok"


def test_repair_may_be_called_twice() -> None:
    code = REPAIR + "import torchvision as first; repair(); import torchvision as second; print(first is second)"
    assert _run(code) == "True"


def test_repair_does_nothing_where_torchvision_imports_by_itself() -> None:
    # A stand-in that imports, so that this is tested on every machine.
    code = (
        "import sys, types; fake = types.ModuleType('torchvision'); fake.models = 1; "
        "sys.modules['torchvision'] = fake; import blindface.base.torchvision_repair as r; r.repair(); "
        "print(len(r._declared), sys.modules['torchvision'] is fake)"
    )
    assert _run(code) == "0 True"


@pytest.mark.skipif(_imports_by_itself(), reason="torchvision needs no repair here")
def test_what_imports_torchvision_works_after_the_repair() -> None:
    assert _run(REPAIR + "import lpips, pytorch_fid.inception; print('ok')") == "ok"
