"""A study while somebody works on it: which studies there are, what was typed and not yet saved, what is wrong, saving and undoing.

The study on disk is the truth. `shelf` finds and makes studies; `draft` keeps what was typed; `amend` and `repairs` turn it into settings
and corrected tables; `survey` says what intake makes of them; `history` puts them in the study's place, whole or not at all.
"""
