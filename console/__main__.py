"""`python -m console …` is `lyhord …`."""

from console.cli import main

main()
