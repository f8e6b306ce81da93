"""The one exception that speaks to a user."""


class InputError(ValueError):
    """What the user gave cannot be used: the message names the file, model or setting and what to do.

    `htsr.stage` and the Snakefile print the message alone; any other exception is a bug and keeps its traceback.
    """
