"""The checker of the exercises: what a student's file must do, and what to say where it does not.

===================  ==============================================================================
``exercises.py``     the list of exercises
``exNN_….py``        one exercise: its questions, its known mistakes, its hints
``ladder.py``        the rungs that a function climbs, from "runs" to "gradient"
``student.py``       a student's file: imported, called, and what it raises put in words
``grids.py``         small arrays as text
``answers.py``       PyTorch's answers, asked live or as recorded in ``answers/``
``worker.py``        the process that runs a student's file, with limits
``runner.py``        the process beside it, which watches the clock and reads the report
``grading.py``       points for Gradescope, and a table for a folder of submissions
``cli.py``           ``python -m tutorials.exercises``
===================  ==============================================================================

All of it is a seat belt for honest mistakes, and no sandbox: it runs the student's file as you.
"""
