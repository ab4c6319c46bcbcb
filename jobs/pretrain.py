"""Train retriever and ranker on the source scenario.

spark-submit jobs/pretrain.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["pretrain", *sys.argv[1:]])
