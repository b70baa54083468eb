"""One tree of errors. Each is one line for a person: ``WHERE: WHAT (WHAT TO DO)``; each has its exit code."""


class IncidentnbError(Exception):
    """Something the user can mend. ``str()`` is the whole line, without a traceback.

    Attributes:
        where: file, file:line, option or verb that the problem sits at.
        what: what is wrong there, in words.
        do: what to do about it; may be empty.
        exit_code: what the command line exits with.
    """

    exit_code = 2

    def __init__(self, where: str, what: str, do: str = ""):
        self.where, self.what, self.do = str(where), what, do
        super().__init__(where, what, do)  # the parts, so that the error survives a trip between processes

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" + (f" ({self.do})" if self.do else "")
        return " ".join(line.split())

    def _render_traceback_(self) -> list[str]:
        """What a notebook cell shows in the place of a traceback: the line."""
        return [f"incidentnb: {self}"]


class InputError(IncidentnbError):
    """Bad input: a missing file, a wrong option, text that cannot be read (exit 2)."""


class PartialError(IncidentnbError):
    """Done in part; the message says which part is missing (exit 3)."""

    exit_code = 3


class Refused(IncidentnbError):
    """Asked for something that must not be done now (exit 4)."""

    exit_code = 4
