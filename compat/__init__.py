"""`make compat`: public LangGraph projects, as they are, run by `graphjobs local` on this machine.

Nothing of theirs is in this repository: whoever runs it fetches them. Their models and their services are played by one
process on 127.0.0.1, to which the proxy variables lead; so nothing needs a key, and no address is given to a project.

* `model`: what the model says: a call of a tool, an answer, an object of a schema
* `messages_api`: the model as Anthropic's API has it
* `chat_api`: the model as OpenAI's API has it: chat completions, responses, embeddings
* `services`: the web search, the weather and the shop that the projects ask
* `internet`: the proxy, which answers for these hosts and lets everything else through
* `prepare`: checkouts, and an environment for each
* `projects`: which projects, and what each graph is asked
* `run`: the jobs of one project, and what came of each
"""
