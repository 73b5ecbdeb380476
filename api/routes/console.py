"""The console page: a few files of our own, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Response

FOLDER = Path(__file__).resolve().parent.parent / "console"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/console.css": ("console.css", "text/css; charset=utf-8"),
    "/console.js": ("console.js", "text/javascript; charset=utf-8"),
    "/results.js": ("results.js", "text/javascript; charset=utf-8"),
    "/results.css": ("results.css", "text/css; charset=utf-8"),
    "/campaign.js": ("campaign.js", "text/javascript; charset=utf-8"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("charts", "csv", "form", "dates", "numbers", "page", "picks", "rows", "whatif")
    },
}

router = APIRouter(include_in_schema=False)


def _serve(path: str, name: str, media_type: str) -> None:
    content = (FOLDER / name).read_bytes()

    @router.get(path)
    async def file() -> Response:
        return Response(content, media_type=media_type)


for _path, (_name, _media_type) in FILES.items():
    _serve(_path, _name, _media_type)
