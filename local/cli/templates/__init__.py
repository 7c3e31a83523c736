"""Files that commands start for a person: `*.in` beside this module, `$word` in them filled in."""

from pathlib import Path
from string import Template

from local.cli.refusal import FAILED, Refusal


def refuse_existing(*paths: Path) -> None:
    """Raises Refusal for a file that is there already: nothing is ever overwritten."""
    for path in paths:
        if path.exists():
            raise Refusal(f"{path} is there already", "choose another name, or move it away")


def write(path: Path, template: str, **words: str) -> None:
    """Make a new file, and the folders above it, from a template; raises Refusal if it cannot be written."""
    text = Template((Path(__file__).parent / template).read_text(encoding="utf-8")).substitute(words)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Refusal(f"cannot write {path}: {error.strerror}", "choose a folder of your own", FAILED) from None
