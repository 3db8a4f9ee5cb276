"""The scheduled run that finds jobs that nobody moves on.

* `handler`: the scheduled run: wiring and metrics
* `service`: what is done for a due job
"""
