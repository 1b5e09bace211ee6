"""The checker of the exercises: it runs a student's file and names the first mistake.

===================  ==============================================================================
``exercises.py``     the list of exercises
``exNN_….py``        one exercise: its questions, its known mistakes, its hints
``…_slips.py``       more known mistakes, where there are many
``task.py``          the parts of an exercise: tasks with their cases, rungs
``ladder.py``        the rungs that a function climbs, from "runs" to "gradient"
``diagnosis.py``     which known mistake it is
``student.py``       a student's file: imported, called, its errors put in words
``climb.py``         a file climbs an exercise's rungs
``grids.py``         small arrays as text; ``as_text.py``: reports as text
``slopes.py``        gradients by small differences
``adam.py``          exercise 10's optimizer; ``loop.py``: its loop; ``pairs.py``: exercise 11's
``answers.py``       PyTorch's answers, asked live or as recorded in ``answers/``
``worker.py``        the process that runs a student's file, with limits
``runner.py``        the process beside it, which watches the clock and reads the report
``progress.py``      each student's points so far
``grading.py``       points for Gradescope, and a table for a folder of submissions
``cli.py``           ``python -m tutorials.exercises``
===================  ==============================================================================

All of it is a seat belt for honest mistakes, and no sandbox: it runs the student's file as you.
"""
