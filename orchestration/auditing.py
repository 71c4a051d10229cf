"""`make audit`: whether a locked requirement has a known vulnerability, if anybody could say.

pip-audit ends well when the index does not know a requirement, or knows no vulnerabilities at all,
as mirrors do: a requirement that nobody looked up is not a sound one, so it is counted and told.

    python -m orchestration.auditing [--service pypi|osv] requirements.lock ...

Exit codes: 0 all were looked up and nothing is known; 1 something is known; 3 some could not be
looked up, and nothing is known of the others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SOUND, VULNERABLE, UNKNOWN = 0, 1, 3
_MOST_NAMED = 10
_TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Findings:
    """What pip-audit found out.

    Attributes:
        looked_up: requirements that the service knows.
        not_looked_up: those that it does not, and why.
        known: vulnerabilities, each as one line.
        problem: why nothing was found out at all.
    """

    looked_up: int = 0
    not_looked_up: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def code(self) -> int:
        """The exit code."""
        if self.known:
            return VULNERABLE
        return UNKNOWN if self.problem or self.not_looked_up or not self.looked_up else SOUND

    def __str__(self) -> str:
        lines = [f"KNOWN VULNERABILITY: {found}" for found in self.known]
        if self.problem:
            lines.append(f"NOT AUDITED: {self.problem}")
        elif self.not_looked_up or not self.looked_up:
            total = self.looked_up + len(self.not_looked_up)
            lines.append(
                f"NOT AUDITED: {len(self.not_looked_up)} of {total} requirements could not be "
                "looked up. This is no pass. Run where the public index can be reached, or "
                "`make audit SERVICE=osv` (osv.dev)."
            )
            lines += [f"  {skipped}" for skipped in self.not_looked_up[:_MOST_NAMED]]
            more = len(self.not_looked_up) - _MOST_NAMED
            lines += [f"  and {more} more"] if more > 0 else []
        if not self.known and self.looked_up:
            lines.append(f"No vulnerability is known of {self.looked_up} requirements.")
        return "\n".join(lines)


def read_report(output: str, errors: str) -> Findings:
    """Read what pip-audit wrote as JSON; without any it failed, and its last line says how."""
    try:
        dependencies = json.loads(output)["dependencies"]
        return Findings(
            looked_up=sum("skip_reason" not in found for found in dependencies),
            not_looked_up=tuple(
                f"{found['name']}: {found['skip_reason']}"
                for found in dependencies
                if "skip_reason" in found
            ),
            known=tuple(
                f"{found['name']} {found['version']}: {known['id']}"
                f", corrected in {', '.join(known['fix_versions']) or 'no version yet'}"
                for found in dependencies
                for known in found.get("vulns", ())
            ),
        )
    except (ValueError, KeyError, TypeError):
        said = [line for line in errors.splitlines() if line.strip()]
        return Findings(problem=said[-1].strip() if said else "pip-audit said nothing")


def audit(lock: Path, service: str, command: Sequence[str]) -> Findings:
    """Audit one lock file, which holds everything with hashes: nothing is installed or resolved."""
    arguments = [
        *(*command, "--requirement", str(lock), "--disable-pip", "--no-deps"),
        *("--vulnerability-service", service, "--format", "json", "--progress-spinner", "off"),
    ]
    try:
        done = subprocess.run(  # noqa: S603
            arguments, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Findings(problem=f"pip-audit did not run ({type(error).__name__}); `make tools`")
    return read_report(done.stdout, done.stderr)


def main(
    arguments: Sequence[str] | None = None,
    command: Sequence[str] = (sys.executable, "-m", "pip_audit"),
) -> int:
    """Audit lock files and tell what is known; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m orchestration.auditing", description=__doc__)
    parser.add_argument("locks", nargs="+", type=Path)
    parser.add_argument("--service", choices=["pypi", "osv"], default="pypi")
    options = parser.parse_args(arguments)
    codes = set()
    for lock in options.locks:
        findings = audit(lock, options.service, command)
        print(f"{lock.name}:\n{findings}")
        codes.add(findings.code)
    return next(code for code in (VULNERABLE, UNKNOWN, SOUND) if code in codes)


if __name__ == "__main__":
    sys.exit(main())
