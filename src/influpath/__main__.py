"""``python -m influpath`` is the command ``influpath``."""

from influpath.cli.main import main

if __name__ == "__main__":
    main()
