"""Which items go with which, across scenarios: taken by the same users, close in text, same value of an attribute.

spark-submit jobs/associate.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["associate", *sys.argv[1:]])
