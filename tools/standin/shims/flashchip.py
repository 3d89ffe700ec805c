# The flash chip, in a file.

import os

chip = open(os.getenv("STANDIN_FLASH", ""), "r+b")
