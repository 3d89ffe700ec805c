# What MicroPython's asyncio keeps in C, on the street's ticks: the queue of tasks by due time, and the task.
#
# The built-in `_asyncio` reads the machine's own tick counter whenever a task is queued without a time, so it cannot run on
# another clock. The rest of asyncio stays the frozen one. Attribute names and what they may hold are what its `core`
# expects; the stubs know neither.
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false

from time import ticks_diff, ticks_ms


class TaskQueue:
    def __init__(self):
        self._tasks = []  # by due time; among equals first in, first out

    def peek(self):
        return self._tasks[0] if self._tasks else None

    def push(self, task, key=None):
        task.data = None
        task.ph_key = ticks_ms() if key is None else key
        at = len(self._tasks)
        while at and ticks_diff(task.ph_key, self._tasks[at - 1].ph_key) < 0:
            at -= 1
        self._tasks.insert(at, task)

    def pop(self):
        return self._tasks.pop(0)

    def remove(self, task):
        self._tasks.remove(task)


class Task:
    """`state`: True while running, a TaskQueue while awaited, None or False when over. `data`: what to throw into it, what
    it waits for, or what it ended with."""

    def __init__(self, coro, globals=None):
        self.coro = coro
        self.data = None
        self.state = True
        self.ph_key = 0

    def __iter__(self):
        if not self.state:
            self.state = False
        elif self.state is True:
            self.state = TaskQueue()
        return self

    def __next__(self):
        if not self.state:
            raise self.data
        from asyncio import core

        waiting = core.cur_task
        self.state.push(waiting)
        waiting.data = self

    def done(self):
        return not self.state

    def cancel(self):
        from asyncio import core

        if not self.state:
            return False
        task = self
        while isinstance(task.data, Task):  # what is awaited innermost is what ends
            task = task.data
        if hasattr(task.data, "remove"):
            task.data.remove(task)
        else:
            core._task_queue.remove(task)
        core._task_queue.push(task)
        task.data = core.CancelledError
        return True
