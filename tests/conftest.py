"""For the whole test run."""

from tests import services


def pytest_sessionfinish() -> None:
    services.stop_started()
