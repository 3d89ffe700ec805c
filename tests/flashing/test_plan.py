"""What a board lacks, and in which order it gets it."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.flashing.errors import FlashError
from tools.flashing.image import build
from tools.flashing.interpreter import read as read_image
from tools.flashing.layout import pack_table
from tools.flashing.plan import Plan, plan
from tools.flashing.survey import Survey, read, script
from tools.standin import images

INTERPRETER = read_image(images.interpreter())
NODE = build("school-pir")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def board(**changes) -> Survey:
    """One on which nothing is missing, but for the changes."""
    files = {path: digest(content) for path, content in NODE.files.items()}
    whole = {
        "mac": bytes.fromhex("24dcc3a3f1c2"),
        "mpy": 6,
        "bootloader": digest(INTERPRETER.bootloader),
        "table": digest(pack_table()),
        "app": digest(INTERPRETER.app_digest),
        "files": files,
        "slots": {"slot": "a"},
        "free_bytes": 1_000_000,
        "key": 7,
        "has_counter": True,
    }
    return Survey(**{**whole, **changes})


def planned(found, key=7) -> Plan:
    return plan(found, NODE, INTERPRETER, key)


def test_nothing_to_do():
    assert planned(board()).is_empty


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mpy": 5}, "interpreter"),
        ({"app": digest(b"another")}, "interpreter"),
        ({"app": ""}, "interpreter"),
        ({"table": digest(b"theirs")}, "table"),
        ({"bootloader": ""}, "bootloader"),
    ],
)
def test_everything_is_written_where_what_starts_is_another(changes, why):
    found = planned(board(**changes))
    assert (found.whole, found.write, found.needs_key) == (why, (), False)


def test_a_board_that_does_not_answer_gets_everything():
    assert planned(None) == Plan("silent", needs_key=True)


def test_only_what_differs_is_written_and_the_manifest_goes_first_and_comes_last():
    files = board().files | {"a/node/app.mpy": digest(b"old"), "boot.py": digest(b"old")}
    found = planned(board(files=files))
    assert found.remove == ("a/manifest",)
    assert [path for path, _ in found.write] == ["a/node/app.mpy", "boot.py", "a/manifest"]
    assert dict(found.write)["a/node/app.mpy"] == NODE.files["a/node/app.mpy"]


def test_after_a_cut_in_the_middle_the_manifest_is_still_missing():
    files = {path: sum_ for path, sum_ in board().files.items() if path != "a/manifest"} | {
        "a/x.mpy.new": "0" * 64,
        "boot.py.new": "0" * 64,
    }
    found = planned(board(files=files))
    assert found.remove == ("a/x.mpy.new", "boot.py.new")
    assert [path for path, _ in found.write] == ["a/manifest"]


def test_settings_and_the_other_slot_are_the_nodes_own():
    files = board().files | {"node.json": "1" * 64, "b/main.py": "2" * 64, "data.txt": "3" * 64}
    assert planned(board(files=files)).is_empty


def test_a_node_that_starts_from_the_other_slot_is_renewed_there():
    files = {path.replace("a/", "b/", 1) if path.startswith("a/") else path: sum_ for path, sum_ in board().files.items()}
    assert planned(board(files=files, slots={"slot": "b", "spare": "a"})).is_empty
    old = files | {"b/streetwire.mpy": "0" * 64}
    found = planned(board(files=old, slots={"slot": "b", "spare": "a"}))
    assert [path for path, _ in found.write] == ["b/streetwire.mpy", "b/manifest"]


@pytest.mark.parametrize("slots", [None, {"slot": "c"}, {"slot": "a", "tries": 2, "spare": "b"}, {"slot": "a", "failed": "b"}])
def test_what_was_written_at_a_bench_is_what_starts(slots):
    found = planned(board(slots=slots))
    assert found.write[-1] == ("slots.json", json.dumps({"slot": "a"}).encode())


@pytest.mark.parametrize("changes", [{"key": None}, {"has_counter": False}, {"key": 8}])
def test_a_key_that_is_missing_unused_or_unknown_is_made_anew(changes):
    assert planned(board(**changes)).needs_key


def test_a_gateway_that_has_no_key_for_the_node_makes_one():
    assert planned(board(), key=None).needs_key


def test_a_node_without_nvs_gets_no_key():
    assert not planned(board(has_nvs=False, key=None, has_counter=False), key=None).needs_key


# -- what a board tells

TOLD = """begin 1\r
mac 24dcc3a3f1ff\r
mpy 6\r
bootloader -\r
table {sum}\r
app {sum}\r
file {sum} 12 a/main.py\r
slots 7b22736c6f74223a2261227d\r
free 4096\r
nvs key 01020304\r
nvs counter 00000000\r
end\r
""".format(sum="ab" * 32)


def test_what_a_board_tells():
    found = read(TOLD, "/dev/x")
    assert (found.node, found.address) == ("tr-a3f1ff", "24:DC:C3:A3:F1:01")  # nothing is carried over
    assert (found.slot, found.free_bytes, found.key, found.has_counter) == ("a", 4096, 0x01020304, True)
    assert (found.bootloader, found.files) == ("", {"a/main.py": "ab" * 32})


@pytest.mark.parametrize(
    "told",
    [
        "", "end\r\n", TOLD.replace("begin 1", "begin 2"), TOLD.replace("end\r\n", ""), TOLD.replace("mac 24dcc3a3f1ff", "mac 24"),
        TOLD.replace("mpy 6", "mpy six"), TOLD.replace("free 4096", "free"), TOLD.replace("key 01020304", "key xyz"),
        TOLD.replace("file " + "ab" * 32, "file zz"),
    ],
)  # fmt: skip
def test_what_is_no_answer(told):
    with pytest.raises(FlashError) as caught:
        read(told, "/dev/x")
    assert caught.value.key == "flash-answer"


def test_a_file_system_with_less_than_nothing_free_is_full():
    assert read(TOLD.replace("free 4096", "free 17592186007552"), "x").free_bytes == 0


@pytest.mark.parametrize("digits", ["zz", "ff", "5b5d", "7b", "-"])
def test_slots_that_nobody_wrote_are_none(digits):
    assert read(TOLD.replace("7b22736c6f74223a2261227d", digits), "x").slot is None


@given(st.text(max_size=400), st.integers(0, len(TOLD)))
def test_whatever_a_board_says_ends_in_words_or_in_an_error_of_ours(text, at):
    try:
        read(TOLD[:at] + text + TOLD[at:], "x")
    except FlashError as error:
        assert error.key == "flash-answer"


def test_the_question_holds_the_places_of_this_image():
    text = script(INTERPRETER)
    assert f"0x1000, {len(INTERPRETER.bootloader)}" in text or f"4096, {len(INTERPRETER.bootloader)}" in text
    assert "BOOTLOADER" not in text and "NVS_NAME" not in text
    compile(text, "script", "exec")
