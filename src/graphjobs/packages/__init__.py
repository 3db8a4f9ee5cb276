"""The packages of a user's project: which they are, one set of versions with the worker's own, and their installation.

* `install`: a project's packages into the environment that runs `graphjobs local`
* `left_out`: what a project may name and graphjobs takes the place of
* `needed`: what graphjobs itself needs of an environment
* `project`: what a `langgraph.json` says of packages: folders, manifests, requirements
* `resolution`: one version of each package, that serves graphjobs and the project
* `uv`: the uv command
"""
