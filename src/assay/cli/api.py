"""The service as the command line calls it: by HTTP, with its refusals as errors that say the remedy."""

from __future__ import annotations

import json
import secrets
import shutil
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from assay.errors import AssayError, UsageError
from assay.keys import JSON

TIMEOUT = 60.0
MOST_SHOWN = 5


class Unanswered(AssayError):
    """The service failed, or broke off its answer."""


class NoService(UsageError):
    """Nobody answers at the address."""


class Api:
    """One service. `url` may end in /api or not."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/").removesuffix("/api") + "/api"
        if not _is_address(self._url):
            raise UsageError(f"--api-url {url}: no address", fix="write it as http://127.0.0.1:5000")
        # No proxy of the environment stands between this machine and its own service.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def json(
        self,
        method: str,
        path: str,
        fields: Collection[str],
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, JSON]:
        """The object that the service answers, with a value for each of `fields`. Raises UsageError where
        it refuses or is not there, and Unanswered where it says something else.
        """
        with self._asked(method, path, body, headers or {}) as answer:
            try:
                found: dict[str, JSON] = json.load(answer)
            except (ValueError, OSError, HTTPException) as error:
                raise Unanswered(f"{self._url} gave no JSON: {error}") from error
        if not isinstance(found, dict) or not found.keys() >= set(fields):
            raise Unanswered(f"{self._url} is no service of batches: its answer lacks {', '.join(fields)}")
        return found

    def copy(self, path: str, out: BinaryIO) -> bool:
        """Writes the answer to `out`; whether the service says that more may come."""
        with self._asked("GET", path, None, {}) as answer:
            try:
                shutil.copyfileobj(answer, out)
            except (OSError, HTTPException) as error:
                raise Unanswered(f"the answer of {self._url} broke off: {error}") from error
            return answer.headers.get("Assay-Partial") == "true"

    def download(self, path: str, to: Path) -> bool:
        """As `copy`, into a file that is there whole or not at all."""
        draft = to.with_name(f".{to.name}.{secrets.token_hex(4)}.part")
        try:
            with draft.open("xb") as out:
                partial = self.copy(path, out)
            draft.replace(to)
        except OSError as error:
            raise UsageError(
                f"{to} cannot be written: {error.strerror}", fix="name a file in a folder that is yours"
            ) from None
        finally:
            draft.unlink(missing_ok=True)
        return partial

    def _asked(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> HTTPResponse:
        request = urllib.request.Request(  # noqa: S310  the scheme was looked at
            self._url + path, data=body, method=method, headers=dict(headers)
        )
        try:
            answer: HTTPResponse = self._opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as refusal:
            raise _refusal(refusal) from None
        except urllib.error.URLError as error:
            raise self._absent(error.reason) from None
        except (OSError, HTTPException) as error:
            raise self._absent(error) from None
        return answer

    def _absent(self, why: object) -> NoService:
        why = getattr(why, "strerror", None) or why
        return NoService(
            f"no service answers at {self._url}: {why}",
            fix="start one with: assay serve; or name its address with --api-url",
        )


def _is_address(url: str) -> bool:
    """Whether requests can be sent there."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _refusal(refusal: urllib.error.HTTPError) -> AssayError:
    """A problem document as an error; its first places as the excerpt."""
    with refusal:
        raw = refusal.read(1 << 20)
    try:
        problem = json.loads(raw)
        detail, errors = str(problem["detail"]), problem.get("errors", [])
    except (ValueError, KeyError, TypeError):
        return Unanswered(f"{refusal.url} answered {refusal.code} {refusal.reason}")
    if refusal.code >= 500:
        return Unanswered(f"{refusal.code}: {detail}")
    lines = [f"{each['pointer']}: {each['detail']}" for each in errors[:MOST_SHOWN]]
    if len(errors) > MOST_SHOWN:
        lines.append(f"... and {len(errors) - MOST_SHOWN} more")
    fix = problem.get("fix") or (errors[0]["fix"] if errors else "see docs/service.md")
    return UsageError(f"{refusal.code}: {detail}", fix=str(fix), excerpt="\n".join(lines) or None)
