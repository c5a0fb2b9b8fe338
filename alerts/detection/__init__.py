"""How many voices are normal, and how rare is what is seen? Many series at once, one bucket after the other.

`detector.Detector` is the whole; its parts: `profile` (the rhythm of the week), `bank` (level, memory and spread, learnt by a
bank of filters), `tail` (probability of so many or more), `calibration` (probability → false alarms per 30 days). Pure: numpy,
no clock, no store. docs/detection.md explains the method and gives its figures.
"""
