"""The ordered stage: the log in, alerts out, a checkpoint now and then.

What the group has committed is only a hint: the state knows up to which offset it goes. A record it has seen is left out, and
what lies between is read from the log again, so that a restart, a kill or a rebalance gives the alerts of an undisturbed run.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from services.alerter import checkpoint
from services.alerter.detector import Detector
from services.alerter.forgetting import tells_of
from shared import metrics
from shared.alerts import LOG_RECORD, Alert, without_text
from shared.errors import Drop
from shared.faust_runner import Rows
from shared.ids import article_of_key, root_id
from shared.stage import Guard, Outcome, Record, alert_message, decode
from shared.topics import KEYWORD_HITS

CHECKPOINT_RECORDS: Final = 5_000
CHECKPOINT_SECONDS: Final = 600
"""Time of the log between two checkpoints at most; long enough for every alert before the last one to be delivered."""

ReadLog = Callable[[int, int], Iterator[Record]]
"""Reads the records of the log from an offset up to (not including) another."""


class DetectStage:
    """Folds the log on the rows of its table; `restore` is to be called whenever the rows are complete."""

    name: Final = "detect"
    source: Final = KEYWORD_HITS

    def __init__(
        self, rows: Rows, read_log: ReadLog, is_taken_down: Callable[[str], bool] = lambda article_id: False
    ) -> None:
        self._rows = rows
        self._read_log = read_log
        self._is_taken_down = is_taken_down
        self._guard = Guard(self.name, self.source)
        self._begin(Detector(), -1)

    def restore(self) -> None:
        """Go on from the last checkpoint; the alerts that came before it are written once more."""
        found = checkpoint.load(self._rows)
        if found is None:
            self._begin(Detector(), -1)
            return
        state, offset, alerts = found
        self._begin(Detector(state), offset, alerts)

    def _begin(self, detector: Detector, offset: int, again: Sequence[Alert] = ()) -> None:
        self.detector = detector
        self._offset = self._saved_offset = offset
        self._saved_at = detector.state.clock
        self._again = list(again)
        self._since_saved: list[Alert] = []

    def process(self, record: Record) -> Outcome:
        """Return what becomes of one record: the alert records that follow from it."""
        alerts, self._again = self._again, []
        refused = None
        if record.offset > self._offset:
            for missed in self._read_log(self._offset + 1, record.offset) if record.offset > self._offset + 1 else ():
                made = self._guard.attempt(missed, lambda missed=missed: self._apply(missed))  # type: ignore[misc]
                alerts += made if isinstance(made, list) else []
            made = self._guard.attempt(record, lambda: self._apply(record))
            if isinstance(made, Outcome):
                refused = made
            else:
                alerts += made
            self._save_now_and_then()
        metrics.ALERT_CLOCK.set(self.detector.state.clock)
        # A log that is read anew from before a takedown tells of the article once more.
        outputs = tuple(alert_message(without_text(alert, self._is_taken_down)) for alert in alerts)
        if refused:
            return Outcome(outputs + refused.outputs, refused=refused.refused)
        return Outcome(outputs, dropped=None if record.value is not None else Drop.TOMBSTONE)

    def _apply(self, record: Record) -> list[Alert]:
        self._offset = record.offset
        if record.value is None:
            return self._take_down(article_of_key(record.key))
        alerts = self.detector.apply(decode(record, LOG_RECORD))
        self._since_saved += alerts
        return alerts

    def _take_down(self, article_id: str | None) -> list[Alert]:
        """Forget an article's title and link in the state and in both places of the checkpoint."""
        told = [without_text(alert, lambda each: root_id(each) == article_id) for alert in self._since_saved]
        if not tells_of(self.detector.state, article_id) and told == self._since_saved:
            return []
        changed = self.detector.take_down(article_id)
        self._since_saved = told + changed
        for _ in range(checkpoint.PLACES):
            checkpoint.save(self._rows, self.detector.state, self._offset, self._since_saved)
        return changed

    def _save_now_and_then(self) -> None:
        clock = self.detector.state.clock
        if self._offset - self._saved_offset < CHECKPOINT_RECORDS and clock - self._saved_at < CHECKPOINT_SECONDS:
            return
        checkpoint.save(self._rows, self.detector.state, self._offset, self._since_saved)
        self._saved_offset, self._saved_at, self._since_saved = self._offset, clock, []
