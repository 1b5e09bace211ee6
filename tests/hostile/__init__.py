"""Files that mean no good, made by program, and a judge of what the commands make of them.

`pictures` and `networks` make the files; `mutate` damages them; `worker` runs commands in a process
that may be lost; `judge` starts it and says what is wrong with the outcome.
"""
