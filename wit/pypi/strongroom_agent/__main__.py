"""Prints the directory: `componentize-py --wit-path "$(python3 -m strongroom_agent)"`."""

from strongroom_agent import WIT

print(WIT)
