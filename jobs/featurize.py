"""Events to vocabulary, statistics, examples and user_state.

spark-submit jobs/featurize.py --conf conf/online_retail.yaml --profile local --ds 2011-11-30
"""

import sys

from landbridge.pipeline.cli import main

if __name__ == "__main__":
    main(["featurize", *sys.argv[1:]])
