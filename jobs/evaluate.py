"""Judge the contenders, decide the routes, register the bundle.

spark-submit jobs/evaluate.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
