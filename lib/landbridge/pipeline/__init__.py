"""Runs the steps: order, fingerprints, ledger, lock, plan, backfill, rollback, and the command line."""
