#!/bin/bash
# A plan of slides in shards, one a job of an array, and one job that puts them together.
#   irnet slide plan *.svs -o /shared/batch
#   sbatch --array=1-8 array.sh /shared/batch
#   sbatch --dependency=afterany:JOB array.sh /shared/batch finish   # JOB: the number of the array
# A job that is killed or requeued goes on where it was. Exit code 3 names windows that failed: the same sbatch tries them again.
#SBATCH --job-name=irnet
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@60
set -eu
folder=$1

export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
if [ "${2:-run}" = finish ]; then
  exec irnet slide finish "$folder"
fi
first=${SLURM_ARRAY_TASK_MIN:-1} # shards count from 1, arrays from anywhere
exec irnet slide run "$folder" --shard "$((SLURM_ARRAY_TASK_ID - first + 1))/$SLURM_ARRAY_TASK_COUNT"
