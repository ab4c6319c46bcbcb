"""Fit all contenders of all scenarios.

spark-submit jobs/finetune.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["finetune", *sys.argv[1:]])
