"""One file a subcommand of `depth-perception`, found by name.

Each module has `add_parser(subparsers)`, which adds its parser and sets `func(args) -> int` as default; everything
heavy is imported inside that function, so that `depth-perception --help` stays fast.
"""
