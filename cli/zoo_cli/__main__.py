"""`python -m zoo_cli`: the same as `zoo`."""

from zoo_cli import main

if __name__ == "__main__":
    main()
