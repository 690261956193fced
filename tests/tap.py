"""Test Anything Protocol: one line a check, the plan at the end.

    tap = Tap()
    tap.ok(1 + 1 == 2, "sums")
    tap.skip("GoogLeNet on 104 photos", "no ../shared")
    tap.done()                  # prints the plan; exit status 1 if a check failed
"""
import signal
import sys
import traceback

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's children would ignore it


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, condition, name, note=None):
        """One check. `note`, text or anything printable, is shown where it failed. Returns whether it held."""
        self.count += 1
        self.failed += not condition
        print(f"{'ok' if condition else 'not ok'} {self.count} - {name}", flush=True)
        if not condition and note is not None:
            for line in str(note).splitlines():
                print(f"#   {line}", flush=True)
        return bool(condition)

    def skip(self, name, why):
        """A check that cannot be made here."""
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}", flush=True)

    def attempt(self, test, *arguments):
        """Runs a test; one that raises has failed."""
        try:
            test(*arguments)
        except Exception:
            self.ok(False, f"{test.__name__} runs to its end", traceback.format_exc())

    def done(self):
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)
