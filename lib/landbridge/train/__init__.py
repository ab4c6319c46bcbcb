"""Training: a job is described in a file, real processes read it, fit networks and simple contenders, and write
folders.
"""
