"""A models.yaml: models and endpoints by name, and the plan whose names are resolved from it."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct, structs

from assay.errors import UsageError
from assay.keys import JSON
from assay.loading import files
from assay.loading.models import OTHERS, PROVIDERS
from assay.message import Sampling
from assay.plan import EndpointChoice, ModelChoice, Plan, PriceChoice, Weights
from assay.seat.limits import Limits

FILE = "models.yaml"
PAGE = "docs/models.md"

LOCAL = frozenset({"recorded", "hf"})
"""Providers whose names are files."""

_ADAPTER = "?adapter="
_SECRET = re.compile(r"authori[sz]ation|api-?key|token|secret|cookie|password", re.IGNORECASE)
_NAME = re.compile(r"[^\s/@:,]+")
_HEADER = re.compile(r"[A-Za-z0-9-]+")


class Entry(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A model of a models.yaml. `model` is `provider/name`, or `provider/name@endpoint`."""

    model: str
    base_url: str | None = None
    key_variable: str | None = None
    headers: dict[str, str] = {}
    sampling: Sampling = Sampling()
    num_ctx: int | None = None
    adapter: str | None = None
    weights: Weights = Weights()
    limits: Limits = Limits()
    price: PriceChoice | None = None


class Catalogue(Struct, frozen=True):
    """What one models.yaml names; file names in it are already relative to the working folder."""

    path: Path | None = None
    endpoints: dict[str, EndpointChoice] = {}
    models: dict[str, Entry] = {}


def find_catalogue(named: str | None) -> Catalogue:
    """The models.yaml that is named, else the one in the working folder, else an empty one."""
    if named is not None:
        return read_catalogue(Path(named))
    return read_catalogue(Path(FILE)) if Path(FILE).is_file() else Catalogue()


def read_catalogue(path: Path) -> Catalogue:
    """Reads a models.yaml. Raises UsageError with file, line and remedy for whatever is wrong in it."""
    value, text = files.read_yaml(path)
    if not isinstance(value, dict) or not value or value.keys() - {"models", "endpoints"}:
        known = value if isinstance(value, dict) else {}
        wrong = next((str(key) for key in known if key not in {"models", "endpoints"}), None)
        problem = f"unknown section {wrong!r}" if wrong else "not a models.yaml"
        raise UsageError(f"{path}: {problem}", fix="begin with models: {NAME: {model: provider/name}}")
    endpoints = {
        name: files.convert(given, EndpointChoice, path, part, PAGE)
        for name, given, part in _entries(value, "endpoints", path, text)
    }
    models = {}
    for name, given, part in _entries(value, "models", path, text):
        written = {"model": given} if isinstance(given, str) else given
        models[name] = _beside(files.convert(written, Entry, path, part, PAGE), path.parent)
    catalogue = Catalogue(path, endpoints, models)
    _check(catalogue, text)
    return catalogue


def _entries(value: dict[str, JSON], section: str, path: Path, text: str) -> list[tuple[str, JSON, str]]:
    """Each name of a section, what it is given, and the file's text from its line on."""
    found = value.get(section) or {}
    if not isinstance(found, dict):
        raise UsageError(f"{path}: {section} is no mapping", fix=f"write {section}: {{NAME: {{...}}}}")
    entries = []
    for name, given in found.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UsageError(
                f"{path}{line_of(text, section, str(name))}: {name!r} is no name for a model",
                fix="write a text without blanks, slashes, commas, colons and @",
            )
        line = line_of(text, section, name)
        number = int(line.rpartition(" ")[2]) if line else 1
        kept = text.splitlines()[number - 1 :]
        entries.append((name, given, "\n" * (number - 1) + "\n".join(kept)))
    return entries


def line_of(text: str, section: str, name: str) -> str:
    """`, line N` of a name in a section; nothing where it does not begin a line."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"[^\s#]", line):
            inside = line.startswith(f"{section}:")
        if inside and re.match(rf"\s*(?:{section}:\s*\{{\s*)?[\"']?{re.escape(name)}[\"']?\s*:", line):
            return f", line {number}"
    return ""


def _beside(entry: Entry, folder: Path) -> Entry:
    """The entry with its own relative file names made relative to the working folder."""
    entry = structs.replace(entry, model=file_beside(entry.model, folder))
    if entry.adapter is not None:
        entry = structs.replace(entry, adapter=str(folder / entry.adapter))
    return entry


def file_beside(name: str, folder: Path) -> str:
    """A model's name with the files that it names made relative to a folder."""
    provider, _, rest = name.partition("/")
    if provider not in LOCAL or not rest:
        return name
    path, mark, adapter = rest.partition(_ADAPTER) if provider == "hf" else (rest, "", "")
    return f"{provider}/{folder / path}{mark}{folder / adapter if mark else ''}"


def _check(catalogue: Catalogue, text: str) -> None:
    """Refuses what no run could use, and what must not stand in a file."""
    for name, endpoint in catalogue.endpoints.items():
        check_headers(endpoint.headers, f"{catalogue.path}{line_of(text, 'endpoints', name)}: {name}")
    for name, entry in catalogue.models.items():
        where = f"{catalogue.path}{line_of(text, 'models', name)}: {name}"
        check_headers(entry.headers, where)
        provider, slash, rest = entry.model.partition("/")
        if not slash or not rest or provider not in {*PROVIDERS, *OTHERS} - {"python"}:
            fix = "write model: provider/name"
            if slash and provider:
                fix = files.did_you_mean(provider, [*PROVIDERS, *OTHERS])
            raise UsageError(f"{where}: {entry.model!r} names no provider", fix=fix)
        if provider == "emulated":
            raise UsageError(
                f"{where}: an emulated model is always shown as one",
                fix=f"leave the entry out and name the model {entry.model} itself",
            )
        _, endpoint_name = split_endpoint(entry.model, catalogue.endpoints, entry.base_url, where)
        if endpoint_name is not None and (entry.base_url or entry.key_variable):
            raise UsageError(
                f"{where}: base_url and key_variable are those of the endpoint {endpoint_name}",
                fix="leave them out here, or leave out the @",
            )


def check_headers(headers: dict[str, str], where: str) -> None:
    """Raises UsageError for a header that cannot be sent, or may hold a key: what files say is recorded."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise UsageError(f"{where}: {name!r} is no header", fix="write plain ASCII on one line")
        if _SECRET.search(name):
            raise UsageError(
                f"{where}: the header {name} may hold a key, and no key stands in a file",
                fix="put the key into an environment variable and name it with key_variable",
            )


def split_endpoint(
    name: str, endpoints: dict[str, EndpointChoice], base_url: str | None, where: str = ""
) -> tuple[str, str | None]:
    """`provider/name` and the endpoint behind its last @; a file's name may hold one of its own.

    With a `base_url` an @ that is no endpoint belongs to the name. Raises UsageError for an endpoint
    that nobody has named.
    """
    before, mark, endpoint = name.rpartition("@")
    if not mark or name.partition("/")[0] in LOCAL or name.startswith("python:"):
        return name, None
    if endpoint in endpoints:
        return before, endpoint
    if base_url is not None:
        return name, None
    fix = f"name it in {FILE}: endpoints: {{{endpoint or 'NAME'}: {{base_url: http://HOST:PORT/v1}}}}"
    if endpoints and files.meant(endpoint, endpoints):
        fix = files.did_you_mean(endpoint, endpoints)
    raise UsageError(f"{where or name}: no endpoint {endpoint!r}", fix=fix)


def resolved(plan: Plan, catalogue: Catalogue | None = None) -> Plan:
    """The plan with every name resolved, so that its record needs no models.yaml.

    A model's settings win over those of its entry; the plan's sampling (and with it the flags)
    lies between them for the models under test.
    """
    found = find_catalogue(plan.models_file) if catalogue is None else catalogue
    endpoints = {**found.endpoints, **plan.endpoints}
    models = tuple(resolved_choice(model, found, endpoints, plan.sampling) for model in plan.models)
    cast = {role: resolved_choice(model, found, endpoints) for role, model in plan.cast.items()}
    used = {choice.endpoint for choice in (*models, *cast.values())}
    return structs.replace(
        plan,
        models=models,
        cast=cast,
        models_file=None,
        endpoints={name: each for name, each in endpoints.items() if name in used},
    )


def resolved_choice(
    choice: ModelChoice,
    catalogue: Catalogue,
    endpoints: dict[str, EndpointChoice],
    sampling: Sampling = Sampling(),
) -> ModelChoice:
    """A choice with what its entry and its endpoint say; one that was resolved stays as it is."""
    entry = catalogue.models.get(choice.name) if choice.model is None else None
    if entry is not None:
        choice = _from_entry(choice, entry, sampling)
    if choice.asked.startswith("hf/"):
        return _with_adapter(choice)
    asked, endpoint = split_endpoint(choice.asked, endpoints, choice.base_url)
    name = choice.name if choice.model is not None or entry is not None else choice.asked
    if endpoint is None:
        return structs.replace(choice, name=name)
    if choice.base_url is not None or choice.key_variable is not None:
        raise UsageError(
            f"{choice.name} answers at the endpoint {endpoint}, and another address or key is given",
            fix=f"leave out @{endpoint}, or --base-url and --key-variable",
        )
    at = endpoints[endpoint]
    return structs.replace(
        choice,
        name=name,
        model=asked,
        endpoint=endpoint,
        base_url=at.base_url,
        key_variable=at.key_variable,
        headers={**at.headers, **choice.headers},
    )


def _from_entry(choice: ModelChoice, entry: Entry, sampling: Sampling) -> ModelChoice:
    """The choice over its entry. Key and headers of the entry are bound to the entry's address."""
    elsewhere = choice.base_url is not None and choice.base_url != entry.base_url
    return structs.replace(
        choice,
        model=entry.model,
        base_url=choice.base_url or entry.base_url,
        key_variable=choice.key_variable if elsewhere else choice.key_variable or entry.key_variable,
        headers=choice.headers if elsewhere else {**entry.headers, **choice.headers},
        sampling=choice.sampling.over(sampling).over(entry.sampling),
        num_ctx=entry.num_ctx if choice.num_ctx is None else choice.num_ctx,
        adapter=choice.adapter or entry.adapter,
        weights=entry.weights if choice.weights == Weights() else choice.weights,
        limits=entry.limits if choice.limits == Limits() else choice.limits,
        price=choice.price or entry.price,
    )


def _with_adapter(choice: ModelChoice) -> ModelChoice:
    """`hf/PATH?adapter=PATH` as a choice with that adapter."""
    asked, mark, rest = choice.asked.partition("?")
    if not mark:
        return choice
    adapter = rest.removeprefix(_ADAPTER[1:])
    if adapter == rest or not adapter:
        raise UsageError(f"{choice.name}: unknown setting {rest!r}", fix="write hf/PATH?adapter=PATH")
    return structs.replace(choice, model=asked, adapter=choice.adapter or adapter)
