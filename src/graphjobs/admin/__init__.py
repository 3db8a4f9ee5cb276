"""For who operates a deployment: `graphjobs admin` and `graphjobs logs`, with their own IAM credentials and no HTTP.

* `arguments`: its grammar
* `command`: its entry: finds the deployment, says what went wrong
* `commands`: list, show, cancel, requeue, purge
* `deployment`: which tables, queue and bucket
* `erase`: erase an owner: asks before, says what was removed
* `job_facts`: all that is known of one job, but for what its user wrote
* `life`: one job's life in order of time
* `log_lines`: its log lines
* `logs`: prints its life
* `owner_erasure`: erasing an owner
* `owner_traces`: where something of an owner is
* `prospect`: what becomes of a job if nobody does anything
"""
