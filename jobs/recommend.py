"""Write, audit and publish the night's lists.

spark-submit jobs/recommend.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["recommend", *sys.argv[1:]])
