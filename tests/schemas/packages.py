# SPDX-License-Identifier: Apache-2.0
"""Files out of Debian packages, fetched into a cache. Nothing of them is ours."""

import glob
import os
import shutil
import subprocess
import tempfile

CACHE = os.environ["SCHEMAS_CACHE"]


class Absent(Exception):
    """The package cannot be had here; the tests on it are skipped."""


def _run(words, **more):
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True, **more)
    except (OSError, subprocess.SubprocessError) as e:
        said = getattr(e, "stderr", None) or str(e)
        raise Absent(f"{' '.join(words)}: {said.strip()}") from e


def fetch(package, *patterns):
    """The folder that holds those files of the package which match one of the patterns."""
    folder = os.path.join(CACHE, package)
    if os.path.exists(os.path.join(folder, ".complete")):
        return folder
    os.makedirs(CACHE, exist_ok=True)
    work = tempfile.mkdtemp(dir=CACHE)
    try:
        words = ["apt-get", "-o", "APT::Sandbox::User=root", "-qq", "download", package]
        _run(words, cwd=work, timeout=120)
        (deb,) = glob.glob(os.path.join(work, "*.deb"))
        new = os.path.join(work, "files")
        os.mkdir(new)
        tar = os.path.join(work, "tar")
        with open(tar, "wb") as out:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], stdout=out, check=True)
        _run(["tar", "-xf", tar, "-C", new, "--wildcards", *patterns])
        with open(os.path.join(new, ".complete"), "w", encoding="ascii"):
            pass
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(new, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def read(folder, path):
    with open(os.path.join(folder, path), encoding="utf-8") as f:
        return f.read()


def read_all(folder, pattern):
    """The files that match, in the order of their names, as one text."""
    names = sorted(glob.glob(os.path.join(folder, pattern)))
    if not names:
        raise Absent(f"the package has no {pattern} any more")
    return "\n".join(read(folder, n) for n in names)
