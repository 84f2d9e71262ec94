"""Runs a sweep on a real Dask cluster on loopback; arguments as for the simulations."""

import sys

from simulations.cli import main

if __name__ == "__main__":
    from distributed import LocalCluster

    # No status page: it would want one more port, and another package.
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
    ) as cluster:
        code = main([*sys.argv[1:], "--scheduler", cluster.scheduler_address])
    sys.exit(code)
