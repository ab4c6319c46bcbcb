"""Texts of items to vectors of a large pretrained model; only what is new is encoded.

spark-submit jobs/encode.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["encode", *sys.argv[1:]])
