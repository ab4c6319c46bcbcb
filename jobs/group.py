"""Groups of users by interest, scenario by scenario, and how they flow between the source and the targets.

spark-submit jobs/group.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["group", *sys.argv[1:]])
