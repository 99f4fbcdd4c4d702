"""The windows of a plan that are left, for whoever shares them out among workers."""

from __future__ import annotations

import time
from statistics import median

from irnet.errors import InputError
from irnet.inference.slide_blocks import ENDED, MOST_TRIES, BlockFolder
from irnet.slides.plan import Plan
from irnet.verbs.failures import LeftOut
from irnet.verbs.slide_run import RunOptions, open_planned

PATIENCE = 10.0  # medians of a window without any done: the workers stand still
LEAST_PATIENCE = 300.0  # s


class Windows:
    """Windows of the slides of a plan, and what is left of them.

    Args:
        plan: of the slides.
        options: which of the windows.
        verified: whether blocks are read: damaged ones are moved aside, and left.
    """

    def __init__(self, plan: Plan, options: RunOptions, *, verified: bool = False) -> None:
        part, parts = options.shard
        names = [*dict.fromkeys(options.only or plan.names)]
        self.left_out, self._plan = LeftOut(len(names)), plan
        self.slides: list[str] = []  # that are not left out
        self.folders: dict[str, BlockFolder] = {}  # by key
        self.places: dict[str, tuple[str, int]] = {}  # slide and number of each window, by key
        for name in names:
            try:
                slide, folder = plan.slide(name), BlockFolder(plan.folder(name))
            except InputError as error:
                self.left_out.add(error)
                continue
            self.slides.append(name)
            for number, window in slide.windows().items():
                if number % parts == part - 1:
                    key = plan.key(slide, window)
                    self.folders[key], self.places[key] = folder, (name, number)
        self.left = {key for key in self.places if not self._is_done(key, verified)}
        self.took = list[float]()
        self._since, self._begun = time.monotonic(), False

    def _is_done(self, key: str, verified: bool = False) -> bool:
        folder = self.folders[key]
        return folder.has(key) if verified else folder.path(key).is_file()

    def leave_out(self, name: str) -> bool:
        """Leave the windows of a slide out, unless it is there as it was planned; whether they are."""
        try:
            open_planned(self._plan.slide(name)).close()
            return False
        except InputError as error:
            self.left_out.add(error)
        self.slides.remove(name)
        for key in [key for key in self.left if self.places[key][0] == name]:
            self.left.remove(key)
            del self.places[key]
        return True

    def name(self, key: str) -> str:
        """A window, for people."""
        slide, number = self.places[key]
        return f"{slide}, window {number}"

    def in_order(self) -> list[str]:
        """Those that are left, slide by slide; those that failed before come last."""
        left = [key for key in self.places if key in self.left]
        return sorted(left, key=lambda key: self.folders[key].tries(key))

    def look(self) -> set[str]:
        """Those that are left now."""
        done = {key for key in self.left if self._is_done(key)}
        if done:
            now = time.monotonic()
            if self._begun:  # the first one takes as long as its process needs to begin
                self.took.append((now - self._since) / len(done))
            self._since, self._begun = now, True
            self.left -= done
        return self.left

    def forgive(self) -> None:
        """Let windows that failed often be tried again."""
        for key in self.left:
            if self.folders[key].tries(key) >= MOST_TRIES:
                self.folders[key].leave(key, None)

    def patience(self) -> float:
        """Seconds after which a window that is not done never will be, by those that were."""
        return max(LEAST_PATIENCE, PATIENCE * (median(self.took) if self.took else 0.0))

    def stand_still(self) -> bool:
        """Whether no window was done for far longer than windows take."""
        return time.monotonic() - self._since > self.patience()

    def wait_anew(self) -> None:
        """Begin to count the time without a window again, as a process begins or goes on."""
        self._since, self._begun = time.monotonic(), False

    def settled(self) -> int:
        """How many are done, or were tried often enough."""
        given_up = sum(self.folders[key].tries(key) >= MOST_TRIES for key in self.look())
        return len(self.places) - len(self.left) + given_up

    def begun(self) -> list[str]:
        """Those that were begun and neither done nor failed."""
        rows = ((key, self.folders[key].error(key)) for key in self.places if key in self.left)
        return [self.name(key) for key, row in rows if row and row.get("reason") == ENDED]

    def reasons(self) -> list[str]:
        """Why those that are left gave nothing."""
        said = []
        for key in self.places:
            if key in self.left:
                row = self.folders[key].error(key) or {}
                said.append(f"{self.name(key)}: {row.get('reason', 'not tried')}")
        return said
