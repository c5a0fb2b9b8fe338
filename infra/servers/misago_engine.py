"""Restart inside Misago's own Python and load its models. Imported by the scripts beside it, which run after start-misago.sh."""

import os
import sys
import tempfile
from pathlib import Path

SRV = Path(os.environ.get("SRV") or Path(tempfile.gettempdir()) / "lyhord-servers")
HOME = SRV / "venv-misago"


def enter() -> None:
    if sys.prefix != str(HOME):
        python = str(HOME / "bin" / "python")
        os.execv(python, [python, *map(str, [Path(sys.argv[0]).resolve(), *sys.argv[1:]])])
    sys.path.insert(0, str(SRV / "run" / "misago"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "listen"
    import django

    django.setup()
