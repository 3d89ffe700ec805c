"""Numbers that only their own file uses cost nothing on a board; whatever somebody else may ask for stays."""

from tools import board
from tools.compact import compact


def one(text, **others):
    return compact({"one.py": text, **{f"{name}.py": other for name, other in others.items()}})["one.py"]


def test_a_number_that_nobody_else_uses_becomes_a_private_constant():
    assert one("LONG_MS = 6000  # why\n\ndef f(ms):\n    return ms > LONG_MS\n") == (
        "_LONG_MS = const(6000)\n\ndef f(ms):\n    return ms > _LONG_MS\n"
    )
    assert one("_MASK = 0xFF\nx = _MASK\n") == "_MASK = const(255)\nx = _MASK\n"


def test_what_is_reckoned_from_such_is_one_too():
    assert one("A = 3\nB = 2 * A + 1\nC = -B\nprint(C)\n") == "_A = const(3)\n_B = const(2 * _A + 1)\n_C = const(-_B)\nprint(_C)\n"


def test_what_another_file_could_ask_for_stays():
    for other in ("from one import N\n", "import one\nprint(one.N)\n", "getattr(one, 'N')\n", "N = 1\nprint(N)\n"):
        assert one("N = 5\nprint(N)\n", other=other).startswith("N = 5\n")


def test_what_is_no_number_or_not_named_as_one_stays():
    values = ('NAME = "x"', "HALF = 0.5", "SHARE = 1 / 2", "IS = True", "ROWS = (1, 2)", "low = 5", "N = f()", "A = B = 1")
    for text in values:
        assert one(text) == text


def test_a_name_that_is_an_attribute_or_a_text_of_its_own_file_stays():
    assert one("N = 5\nprint(self.N, N)\n").startswith("N = 5\n")
    assert one('N = 5\nprint("N", N)\n').startswith("N = 5\n")
    assert one("N = 5\n_N = 6\nprint(N, _N)\n") == "N = 5\n_N = const(6)\nprint(N, _N)\n"


def test_the_firmware_keeps_what_its_own_files_ask_each_other_for():
    paths = [path for path in board.FIRMWARE.rglob("*.py") if "__pycache__" not in path.parts]
    sources = {str(path): path.read_text(encoding="utf-8") for path in paths}
    made = compact(sources)
    assert sum(text.count(" = const(") for text in made.values()) > 150
    wire = next(text for path, text in made.items() if path.endswith("streetwire.py"))
    assert "\nACK = 4" in wire
    for path, text in made.items():
        compile(text, path, "exec")
