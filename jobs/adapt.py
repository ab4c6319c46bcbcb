"""The text encoder is tuned to the domain by what the same users took; off unless encode.tune is there.

spark-submit jobs/adapt.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["adapt", *sys.argv[1:]])
