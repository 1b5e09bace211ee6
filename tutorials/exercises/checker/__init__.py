"""The checker of the exercises: it runs a student's file, and shows the first thing that is wrong.

===================  ==============================================================================
``exNN_….py``        one exercise, as a table: its functions, its own mistakes, its hints
``engine.py``        what every function is tried with; how a table is written. Begin here
``inputs.py``        the calls that are tried, as text that can be pasted
``slips.py``         mistakes that can be made in any function
``shuffles.py``      shuffles with any formula, for several tables
``student.py``       a student's file: imported, called, its errors put in words
``process.py``       the process that runs it, with limits, and the one beside it
``report.py``        how far a file came, in data and in words
``grading.py``       points for Gradescope, and a table for a folder of submissions
``exercises.py``     the list of exercises
``cli.py``           ``python -m tutorials.exercises``
===================  ==============================================================================

All of it is a seat belt for honest mistakes, and no sandbox: it runs the student's file as you.
"""
