"""What tests of several commands need."""


def last_line(capsys, command="train"):
    """Return what the only complaint of a failed command says."""
    written = capsys.readouterr().err
    assert "Traceback" not in written
    *others, line = written.splitlines()
    assert not any(other.startswith(f"npespcn {command}:") for other in others)
    assert line.startswith(f"npespcn {command}: ")
    return line.removeprefix(f"npespcn {command}: ")
