"""Builds packages of plugins and installs them with pip into a virtual environment of a test."""

from __future__ import annotations

import shlex
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.acceptance.installation import ROOT, Installation


class Environment:
    """A virtual environment that has the product's packages, and room for plugins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels = folder / "wheels"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.wheels.mkdir()
        self.installed: set[str] = set()
        self.python = folder / "bin" / "python"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = folder / "lib" / version / "site-packages"
        (packages / "product.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")

    def install(self, name: str, version: str, files: Mapping[str, str], entry_point: str) -> None:
        """Install a version of a plugin, as `pip install --upgrade` does."""
        wheel = self.wheels / f"{name}-{version}-py3-none-any.whl"
        write_wheel(wheel, name, version, files, entry_point)
        self.pip("install", "--upgrade", "--no-index", "--no-deps", str(wheel))
        self.installed.add(name)

    def uninstall(self, name: str) -> None:
        """Remove a plugin."""
        self.pip("uninstall", "--yes", name)
        self.installed.remove(name)

    def pip(self, *arguments: str) -> None:
        """Run pip in this environment."""
        subprocess.run(
            [self.python, "-m", "pip", "--disable-pip-version-check", "-q", *arguments],
            check=True,
            cwd=self.folder,
        )


def write_wheel(
    path: Path, name: str, version: str, files: Mapping[str, str], entry_point: str
) -> None:
    """Write a wheel with these modules, which announces one category if an entry point is given."""
    about = f"{name}-{version}.dist-info"
    contents = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entry_point:
        contents[f"{about}/entry_points.txt"] = f"[piston.categories]\n{entry_point}\n"
    record = f"{about}/RECORD"
    contents[record] = "".join(f"{file},,\n" for file in [*contents, record])
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in contents.items():
            wheel.writestr(file, text)


class PluginInstallation(Installation):
    """An installation whose processes run in a virtual environment of their own."""

    def __init__(self, folder: Path, environment: Environment, **variables: str) -> None:
        self.plugins = environment
        super().__init__(folder, **variables)
        for name, command in self.commands.items():
            program, *words = shlex.split(command)
            module = Path(program).name
            self.commands[name] = shlex.join([str(environment.python), "-m", module, *words])

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it printed; it must succeed."""
        done = self.try_to_manage(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def try_to_manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command that may fail."""
        return subprocess.run(
            [self.plugins.python, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
