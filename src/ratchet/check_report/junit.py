"""A check-up as JUnit XML, which every CI server shows: a test case a check, failed by its findings."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from ratchet.checks.finding import Finding, Severity
from ratchet.checkup.checkup import FAILED, Checkup, Step, at_least
from ratchet.forms import legible

# What XML 1.0 cannot hold, not even escaped (section 2.2).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(found: Checkup, *, least: Severity) -> bytes:
    """The XML document in UTF-8.

    Args:
        found: what was looked at.
        least: findings of this severity and graver ones fail their test case; the others are in its output.
    """
    name = legible(found.target.name)
    cases = [_case(found, step, least=least, name=name) for step in found.steps]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": str(sum(bool(step.skipped) for step in found.steps)),
        "time": f"{found.seconds:.3f}",
    }
    suite = ET.Element("testsuite", {"name": _clean(name), **counts})
    suite.extend(cases)
    suites = ET.Element("testsuites", {"name": "ratchet check", **counts})
    suites.append(suite)
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(found: Checkup, step: Step, *, least: Severity, name: str) -> ET.Element:
    case = ET.Element(
        "testcase",
        {"classname": "ratchet.check", "name": step.check.id, "file": _clean(name), "time": f"{step.seconds:.3f}"},
    )
    if step.skipped:
        ET.SubElement(case, "skipped", {"message": step.skipped})
        return case
    findings = found.of(step.check)
    broken = [finding for finding in findings if finding.id == FAILED]
    if broken:
        ET.SubElement(case, "error", {"message": _clean(broken[0].message), "type": FAILED})
    findings = tuple(finding for finding in findings if finding.id != FAILED)
    failing = [finding for finding in findings if at_least(finding, least)]
    passing = [finding for finding in findings if not at_least(finding, least)]
    if failing:
        what = {"message": _clean(" ".join(finding.message for finding in failing)), "type": failing[0].id}
        ET.SubElement(case, "failure", what).text = _clean("\n\n".join(map(_told, failing)))
    if passing:
        ET.SubElement(case, "system-out").text = _clean("\n\n".join(map(_told, passing)))
    return case


def _told(finding: Finding) -> str:
    lines = [f"{finding.severity} {finding.id}: {finding.message}"]
    lines += [f"  {legible(example.file)}, {example}" for example in finding.examples]
    lines += [f"  why: {finding.why}"]
    if finding.fix:
        lines += ["  fix: " + finding.fix.rstrip().replace("\n", "\n       ")]
    return "\n".join(lines)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
