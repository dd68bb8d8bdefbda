"""Which files of the project a plan and its turns are given to read."""
