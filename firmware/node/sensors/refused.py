# How far a part counts the bytes that it refuses: whoever asks takes differences within this mask.

REJECTED_MASK = 0x1FFFFFFF  # six hours of a flood; not much later every byte of it would be an object on the heap
