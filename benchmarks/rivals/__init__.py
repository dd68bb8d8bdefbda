"""The same job with what a user could pick instead, each in a process of its own, as its own guide would have it done.

Each program has two verbs. ``run`` starts the job, or goes on with it when it is there already, as its user would after
a crash. ``serve`` starts whatever the library itself leaves running and asks for nothing: what goes on then, goes on by
itself. ``run`` prints how many seconds its ten steps took.
"""
