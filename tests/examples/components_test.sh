#!/usr/bin/env bash
# Tests the Python of components/ inside the image that they run in, as a user without a name or a home.
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)

# The tree goes in as a stream: an engine elsewhere sees no folder of ours, and a checkout may be closed to that user.
tar -C "$repo" --mode=a+rX --exclude=__pycache__ -cf - components tests/examples/components_test.py |
  docker run --rm -i --network none --user 12345:12345 --env HOME=/tmp --tmpfs /tmp:exec,mode=1777 \
    mlpipe/python-ml:bookworm sh -c 'tar -C /tmp -xf - && exec python3 /tmp/tests/examples/components_test.py /tmp/components'
