"""Raw daily logs to events, items, users and quarantine.

spark-submit jobs/clean.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["clean", *sys.argv[1:]])
