"""The web application: routes, the lock, and the pages for what went wrong."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from console.web import views
from console.web.desk import Desk
from console.web.guard import (
    COOKIE,
    KnownHost,
    SecurityHeaders,
    is_session,
    is_token,
    new_session,
    secured,
    session_of,
)
from console.web.site import HERE, open_site, page, site_of
from listener.errors import StoreError

View = Callable[[Request], Response]
SESSION_SECONDS = 30 * 24 * 3600


def create_app(desk: Desk) -> Starlette:
    """The console's page as an ASGI application; the caller binds it. Raises ValueError when the desk has no token."""
    if not desk.token:
        raise ValueError("the desk's token is empty: want a secret that lets a browser in")
    site = open_site(desk)
    app = Starlette(
        routes=[
            Route("/healthz", views.healthz),
            Route("/", entrance),
            Route("/mentions", locked(views.mentions), name="mentions"),
            Route("/incidents", locked(views.incidents), name="incidents"),
            Route("/incidents/{id}", locked(views.incident), name="incident"),
            Route("/sources", locked(views.sources), name="sources"),
            Route("/sources/{id}/{act}", act_on_source, methods=["POST"]),
            Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
        ],
        middleware=[Middleware(SecurityHeaders), Middleware(KnownHost, hosts=site.hosts)],
        exception_handlers={HTTPException: refused, StoreError: away, Exception: broken},
    )
    app.state.site = site
    return app


def is_inside(request: Request) -> bool:
    return is_session(session_of(request.headers), site_of(request).desk.token)


def locked(view: View) -> View:
    """The view for browsers that are let in; for others the page that says how to get in."""

    def opened(request: Request) -> Response:
        return view(request) if is_inside(request) else door(request)

    return opened


def door(request: Request, *, wrong: bool = False) -> Response:
    """How to get in. A link from another site comes without our cookie (SameSite=Strict): from here it can be followed again."""
    again = f"{request.url.path}?{request.url.query}".rstrip("?") if request.method == "GET" else "/"
    return page(request, "door.html", status=401, wrong=wrong, again=again)


def entrance(request: Request) -> Response:
    """The overview. With the right token in the address the browser is let in, and the token leaves the address."""
    if "token" not in request.query_params:
        return locked(views.overview)(request)
    desk = site_of(request).desk
    if not is_token(request.query_params["token"], desk.token):
        return door(request, wrong=True)
    answer = RedirectResponse("/", 303)
    encrypted = request.url.scheme == "https" or desk.config.console.url.startswith("https:")
    answer.set_cookie(
        COOKIE,
        new_session(desk.token),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=encrypted,
    )
    return answer


async def act_on_source(request: Request) -> Response:
    return await views.act_on_source(request) if is_inside(request) else door(request)


def refused(request: Request, error: Exception) -> Response:
    """404 and its kin, in our words."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    name = "refused" if status in {403, 413} else "not_found"
    return page(request, "trouble.html", status=status, name=name, command="")


def away(request: Request, error: Exception) -> Response:
    """Ledger or archive do not answer: nothing is lost, and it can be tried again."""
    answer = page(request, "trouble.html", status=503, name="away", command="lyhord check")
    answer.headers["Retry-After"] = "30"
    return answer


def broken(request: Request, error: Exception) -> Response:
    """Answered outside the middleware, so it brings its own headers; the error itself goes to the server's log."""
    return secured(page(request, "trouble.html", status=500, name="broken", command="lyhord check"))
