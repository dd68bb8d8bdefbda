"""``plans.yaml``: what each plan gives, as data that the operator may replace."""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from orchex.domain.errors import InvalidInput
from orchex.domain.subscription import PlanCatalogue
from orchex.stack.yaml_positions import Positions, YamlRefused, read_yaml


def load_plans(path: Path | None) -> PlanCatalogue:
    """Read a catalogue, or the packaged one. Raises :class:`InvalidInput`, a ``file:line: message`` per problem."""
    path = path or packaged_plans()
    try:
        document, positions = read_yaml(path)
    except OSError as error:
        raise InvalidInput(
            f"cannot read the plans {path}: {error.strerror}",
            hint="Check ORCHEX_PLANS; unset, the packaged plans are used.",
        ) from error
    except YamlRefused as error:
        raise _invalid([f"{path}:{error.line}: {error}"]) from None
    try:
        return PlanCatalogue.model_validate({} if document is None else document)
    except ValidationError as error:
        raise _invalid(_problems(path, positions, error)) from None


def packaged_plans() -> Path:
    """``orchex/share/plans.yaml`` of an installed Orchex, or the top of a source tree."""
    package = Path(str(resources.files("orchex")))
    installed = package / "share" / "plans.yaml"
    return installed if installed.is_file() else package.parent / "plans.yaml"


def _problems(path: Path, positions: Positions, error: ValidationError) -> Iterable[str]:
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in detail["loc"] if part != "[key]")
        yield f"{path}:{positions.line(detail['loc'])}: {where or 'the file'}: {detail['msg']}"


def _invalid(problems: Iterable[str]) -> InvalidInput:
    return InvalidInput(
        "the plans cannot be used\n" + "\n".join(problems),
        hint=f"The keys and what they mean are described in {packaged_plans()}.",
    )
