"""What a browser opens: the dashboard, and the two readers of the OpenAPI document."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from service.dashboard.static_files import CachedStaticFiles

HERE = Path(__file__).resolve().parent
PAGES = HERE / "static"
# The dashboard's npm packages, which scripts/libraries.py installs; only their files are served.
LIBRARIES = HERE / "libraries" / "node_modules"
# A package of the official builds of Swagger UI and ReDoc; only its files are read, nothing of it is imported.
READERS = ("drf_spectacular_sidecar", "static/drf_spectacular_sidecar")
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The two readers write inline styles, and ReDoc runs its search in a worker made from a blob.
READER = STRICT.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'") + "; worker-src blob:"


class PerhapsMissing(CachedStaticFiles):
    """Files of a folder that may not be there; what is not is answered 404."""

    async def check_config(self) -> None:
        """Do without the folder."""


def page(path: str, name: str, policy: str) -> BaseRoute:
    """Make the route of a page."""

    async def show(request: Request) -> Response:
        return FileResponse(
            PAGES / f"{name}.html",
            headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache", "Referrer-Policy": "no-referrer"},
        )

    return Route(path, show)


DASHBOARD = ("/", "/explore", "/days", "/day", "/import", "/system")
PAGE_PATHS = (*DASHBOARD, "/docs", "/redoc", "/openapi.json")
MOUNTS = ("/pages/", "/libraries/", "/readers/")


def page_routes() -> list[BaseRoute]:
    """List the routes of the pages and of what they load."""
    return [
        *(page(path, "dashboard", STRICT) for path in DASHBOARD),
        page("/docs", "docs", READER),
        page("/redoc", "redoc", READER),
        Mount("/pages", CachedStaticFiles(directory=PAGES)),
        Mount("/libraries", PerhapsMissing(directory=LIBRARIES, check_dir=False)),
        Mount("/readers", StaticFiles(packages=[READERS])),
    ]


def openapi_route(document: dict[str, object]) -> Route:
    """Make the route of the OpenAPI document."""

    @cache
    def body() -> bytes:
        return to_json(document)

    async def openapi(request: Request) -> Response:
        return Response(body(), media_type="application/json")

    return Route("/openapi.json", openapi)
