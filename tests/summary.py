"""The last lines of tests/run.sh, from ctest's results: the slowest tests, why some were skipped,
and how many passed."""
import sys
import xml.etree.ElementTree as xml

SLOWEST = 10

suite = xml.parse(sys.argv[1]).getroot()
count = {"passed": 0, "failed": 0, "skipped": 0}
seconds = {case.get("name"): float(case.get("time") or 0) for case in suite.iter("testcase")}
print("Slowest: " + ", ".join(f"{name} {seconds[name]:.0f} s" for name in
                              sorted(seconds, key=seconds.get, reverse=True)[:SLOWEST]))
for case in suite.iter("testcase"):
    status = {"run": "passed", "fail": "failed"}.get(case.get("status"), "skipped")
    count[status] += 1
    if status == "skipped":
        lines = [line for line in (case.findtext("system-out") or "").splitlines()
                 if line.lower().startswith("skipped")]
        print(f"{case.get('name')} was {lines[-1] if lines else 'skipped: it did not run'}")
print(", ".join(f"{number} {status}" for status, number in count.items()
                if number or status != "skipped"))
sys.exit(0 if count["passed"] else 1)
