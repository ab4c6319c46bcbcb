"""Every step of a night in one Spark application.

spark-submit jobs/nightly.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["nightly", *sys.argv[1:]])
