"""The closed loop as an experiment: models and pairs of a run, dials, users, results, pages.

``loop.py`` compares planners in the loop (``influpath simulate``); ``judges.py`` asks how well a
learnt judge ranks planners by what the true users of the simulated world do (``influpath judges``).
"""
