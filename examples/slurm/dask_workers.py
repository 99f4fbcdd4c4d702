"""Workers of Dask as jobs of Slurm, for `irnet slide run --scheduler`. Needs `pip install dask-jobqueue`.

python dask_workers.py /shared/dask.json 8 &
irnet slide run /shared/batch --scheduler /shared/dask.json
"""

import json
import sys
import time
from pathlib import Path

from dask_jobqueue import SLURMCluster


def main(file: Path, jobs: int) -> None:
    """Ask for jobs, again where they end, and write the address of their scheduler once one has begun."""
    with SLURMCluster(
        cores=1,  # threads of Dask: a window at a time
        job_cpu=4,
        processes=1,
        memory="8GB",
        walltime="12:00:00",
        worker_extra_args=[
            "--memory-limit",
            "0",
        ],  # Slurm ends what takes too much; Dask would pause it
        job_script_prologue=["export OMP_NUM_THREADS=4"],
    ) as cluster:
        cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)
        while not cluster.scheduler_info["workers"]:
            time.sleep(1)
        file.write_text(json.dumps({"address": cluster.scheduler_address}))
        print(f"{cluster.scheduler_address}: in {file}; Ctrl-C ends the jobs", flush=True)
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
