"""Write the page a person reads in the morning.

spark-submit jobs/report.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["report", *sys.argv[1:]])
