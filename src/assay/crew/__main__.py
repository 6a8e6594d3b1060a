"""A worker process; only the first process of a run starts it."""

import sys

from assay.crew.worker import main

if __name__ == "__main__":
    main(int(sys.argv[1]))
