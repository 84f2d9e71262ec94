"""What `navstar lab run` does, one file per claim.

A step takes the stage, does something to the running lab, and returns a `Check`.
Steps are run in the order of `navstar.lab.demo`; each leaves the lab whole.
"""
