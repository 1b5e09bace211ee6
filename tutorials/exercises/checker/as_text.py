"""Reports in words."""

from __future__ import annotations

from itertools import groupby

from tutorials.exercises.checker.climb import Report, Step


def summary(report: Report) -> str:
    """Return the rungs that were reached, the mistake, and the points."""
    lines = [f"Exercise {report.number}: {report.title}"]
    for name, steps in groupby(report.steps, lambda step: step.name.rpartition(": ")[0]):
        climbed = list(steps)
        if name and all(step.passed for step in climbed):  # one of several functions
            lines.append(f"  ok  {name}: all {len(climbed)} rungs")
            continue
        for step in climbed:
            if step.passed or step is report.broken:
                lines.append(f"  {'ok' if step.passed else 'NO'}  {explain(step, indent=6)}")
            else:  # where the rest is other work: one thing at a time
                lines.append(f"  NO  {step.name}: wrong, too, and not explained yet")
    if report.printed:
        lines += ["Your file printed:", *(f"  {line}" for line in report.printed.splitlines())]
    lines.append(f"{report.points} of {report.full} points")
    return "\n".join(lines)


def explain(step: Step, indent: int = 0) -> str:
    """Return a rung's name, message and example, and the expected and the actual numbers."""
    first = f"{step.name}: {step.message}" if step.message else step.name
    lines = [first, *step.example.splitlines(), *step.shown.splitlines()]
    return f"\n{' ' * indent}".join(lines)


def one_line(report: Report) -> str:
    """Return the points and the mistake."""
    line = f"{report.name} {report.points} of {report.full}"
    broken = report.broken
    return line if broken is None else f"{line}; {broken.name}: {broken.message}"
