# Key and counter: no number is given out twice, whatever step of writing a power cut falls on.

from dialect import Chance, raises
from ramnvs import PowerCut, RamNvs

from node.vault import BLOCK, COUNTER, KEY, Vault

KEY_BYTES = bytes(range(16))
STEPS = 4  # of one reservation


def provisioned(counter=0, key=KEY_BYTES):
    return RamNvs({KEY: key, COUNTER: bytes((counter & 255, counter >> 8 & 255, counter >> 16 & 255, counter >> 24))})


def test_numbers_rise_by_one_and_a_block_is_stored_before_its_first_is_given_out():
    nvs = provisioned()
    vault = Vault(nvs)
    for number in range(3 * BLOCK):
        assert vault.next_counter == number
        assert vault.take_counter() == number
        assert nvs.commits == number // BLOCK + 1
        assert int.from_bytes(nvs.cells[COUNTER], "little") == (number // BLOCK + 1) * BLOCK


def test_a_start_goes_on_behind_what_is_reserved():
    nvs = provisioned()
    for boot in range(5):
        vault = Vault(nvs)
        assert vault.key == KEY_BYTES
        assert [vault.take_counter() for _ in range(3)] == [boot * BLOCK, boot * BLOCK + 1, boot * BLOCK + 2]


def test_without_a_whole_key_and_its_counter_there_is_no_key():
    assert Vault(RamNvs()).key is None
    assert Vault(RamNvs({KEY: KEY_BYTES})).key is None
    assert Vault(RamNvs({COUNTER: bytes(4)})).key is None
    assert Vault(RamNvs({KEY: KEY_BYTES, COUNTER: bytes(3)})).key is None
    for size in (0, 15, 17):
        assert Vault(provisioned(key=bytes(size))).key is None


def test_what_cannot_be_read_is_not_taken_for_a_beginning():
    nvs = provisioned(5 * BLOCK)
    nvs.broken_calls = {"get_blob"}
    assert Vault(nvs).key is None


def test_a_block_that_cannot_be_stored_is_not_used_and_tried_again():
    for call in ("set_blob", "commit"):
        nvs = provisioned()
        vault = Vault(nvs)
        nvs.broken_calls = {call}
        assert [vault.take_counter() for _ in range(3)] == [None, None, None]
        nvs.broken_calls = set()
        assert vault.take_counter() == 0
        assert Vault(nvs).take_counter() == BLOCK


def test_numbers_end_with_those_of_32_bits():
    vault = Vault(provisioned((1 << 32) - 2 * BLOCK))
    numbers = [vault.take_counter() for _ in range(2 * BLOCK)]
    assert numbers[:2] == [(1 << 32) - 2 * BLOCK, (1 << 32) - 2 * BLOCK + 1]
    assert numbers[BLOCK - 1] == (1 << 32) - BLOCK - 1
    assert set(numbers[BLOCK:]) == {None}


def test_a_cut_at_any_step_repeats_no_number():
    for is_lazy in (False, True):
        for taken in (0, 1, BLOCK - 1, BLOCK):
            for step in range(STEPS):
                nvs = provisioned(7 * BLOCK)
                nvs.is_lazy = is_lazy
                vault = Vault(nvs)
                given = [vault.take_counter() for _ in range(taken)]
                nvs.steps_until_cut = step
                if taken in (0, BLOCK):
                    raises(PowerCut, vault.take_counter)
                nvs.power_up()
                assert Vault(nvs).take_counter() > max(given + [7 * BLOCK - 1])


def many_boots(boots, seed):
    """Each takes a few numbers, some up to the end of a block, and ends in a cut; hands back how many numbers were given out."""
    chance = Chance(seed)
    nvs = provisioned()
    last, given = -1, 0
    for boot in range(boots):
        if boot % 1000000 == 0:
            nvs.cells[COUNTER], last = bytes(4), -1  # a new key: the numbers of one are not enough for more boots
        vault = Vault(nvs)
        nvs.is_lazy = chance.below(2) == 1
        nvs.steps_until_cut = chance.below(2 * STEPS + 1)
        try:
            for _ in range(1 + chance.below(4) + (BLOCK if chance.below(500) == 0 else 0)):
                number = vault.take_counter()
                assert number > last
                last = number
                given += 1
        except PowerCut:
            pass
        nvs.power_up()
    return given


def test_many_boots_with_cuts_repeat_no_number():
    boots = 1000
    assert many_boots(boots, 1) > boots
