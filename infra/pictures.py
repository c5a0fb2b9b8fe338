"""What docs/ shows of the product, made from the product: `make docs-pictures`.

Runs the demo once, keeps what the terminal said (docs/demo.txt), and takes pictures of its page in Chromium (docs/pictures/).
"""

import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

DOCS = Path(__file__).parents[1] / "docs"
CHROMIUM = "/usr/bin/chromium"
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PATIENCE = 180.0


def main() -> None:
    (DOCS / "pictures").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said.txt"
        with said.open("wb") as out:
            demo = subprocess.Popen(
                [sys.executable, "-m", "console", "demo", "--port", "8642"],
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            link = _wait_for_link(said, demo)
            _take_pictures(link, said.read_text(encoding="utf-8"))
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(timeout=30)
        transcript = re.sub(r"token=\S+", "token=…", said.read_text(encoding="utf-8"))
    (DOCS / "demo.txt").write_text(f"$ lyhord demo\n{transcript}", encoding="utf-8")


def _wait_for_link(said: Path, demo: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and demo.poll() is None:
        if found := re.search(r"^Look +(\S+)", said.read_text(encoding="utf-8"), re.MULTILINE):
            return found[1]
        time.sleep(0.5)
    raise SystemExit(f"the demo showed no page:\n{said.read_text(encoding='utf-8')}")


def _take_pictures(link: str, said: str) -> None:
    incident = re.search(r"/incidents/[0-9a-f]+", said)
    pages = {"overview": "/", "sources": "/sources"} | ({"incident": incident[0]} if incident else {})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for name, path in pages.items():
            _take(browser, link, path, DOCS / "pictures" / f"{name}.png", dark=False)
        _take(browser, link, "/", DOCS / "pictures" / "overview-dark.png", dark=True)
        browser.close()


def _take(browser: Browser, link: str, path: str, file: Path, *, dark: bool) -> None:
    context = browser.new_context(
        viewport={"width": 1000, "height": 900}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.goto(link)
    page.goto(link.split("/?")[0] + path)
    page.screenshot(path=file, full_page=False)
    context.close()


if __name__ == "__main__":
    main()
