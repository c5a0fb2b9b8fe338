"""Rebuild the shipped model, bit for bit:

    python -m workers.scoring.training

Reads the texts beside this file, writes `workers/scoring/data/model.npz` and `languages.npz`. About five minutes on two cores."""

import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from time import monotonic

from workers.scoring.training import languages
from workers.scoring.training.calibrate import calibrate, logits
from workers.scoring.training.fit import fit
from workers.scoring.training.held_out import unread, without
from workers.scoring.training.texts import load

NAME = "lyhord-2"
"""Goes up whenever the model does; stored with each mention, so that `lyhord rescore` finds the old ones."""


def main() -> int:
    started = monotonic()
    data = Path(str(files("workers.scoring") / "data"))
    texts = load()
    calibrating = unread(texts)
    say(f"{len(texts)} texts; first without the {len(calibrating)} that calibrate")
    strange = logits(fit(without(texts, calibrating)), calibrating)
    say(f"{monotonic() - started:.0f} s; now with all of them")
    model = fit(texts)
    settings = {**model.settings, "model": NAME, "calibration": calibrate(strange, calibrating)}
    replace(model, settings=settings).save(data / "model.npz")
    say(f"{monotonic() - started:.0f} s; {len(model.numbers)} features; now languages")
    (data / "languages.npz").write_bytes(languages.build())
    say(f"{monotonic() - started:.0f} s; done")
    return 0


def say(what: str) -> None:
    sys.stderr.write(f"{what}\n")


if __name__ == "__main__":
    sys.exit(main())
