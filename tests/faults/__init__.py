"""What can happen to a running command from outside: `make test-faults`.

`watched` runs a command that says where it is, `moments` ends it there, `disks` are small or
read-only.
"""
