"""Who may see the page and what may be sent to it: host allow-list, security headers, session, forgery check.

A browser gets in once with the token (`/?token=…`, printed by the command line) and then carries a signed session cookie.
Nothing is kept on the server: a session is a random number and its signature under the token.
"""

import hmac
import secrets
from collections.abc import Iterable
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "lyhord_session"
FORM_BYTES = 4096
"""The largest form that we read."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def host_of(header: str) -> str:
    """The name in a Host header or an address, without port and brackets; "" when it cannot be read."""
    try:
        return (urlsplit(header if "//" in header else f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def allowed_hosts(host: str, url: str) -> frozenset[str]:
    """Loopback, the configured host (but never "every address") and the host of the configured url."""
    names = {*LOOPBACK, host_of(f"[{host}]" if ":" in host else host), host_of(url)}
    return frozenset(names - {"", "0.0.0.0", "::"})  # noqa: S104 - taken out, not bound


def is_token(given: str, token: str) -> bool:
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


def new_session(token: str) -> str:
    number = secrets.token_hex(16)
    return f"{number}.{_sign(token, 'session', number)}"


def is_session(cookie: str, token: str) -> bool:
    number, _, signature = cookie.partition(".")
    return bool(token) and hmac.compare_digest(signature.encode(), _sign(token, "session", number).encode())


def form_key(session: str, token: str) -> str:
    """What every form of this session must carry."""
    return _sign(token, "form", session)


def is_form_key(given: str, session: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), form_key(session, token).encode())


def same_origin(headers: Headers, hosts: Iterable[str]) -> bool:
    """Whether a request that changes something was sent by our own page.

    Browsers say so in Sec-Fetch-Site; Origin, when given, must be one of our hosts and have the port that was asked. One of
    the two must be there.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None:
        return site is not None
    return urlsplit(origin).netloc == headers.get("host") and host_of(origin) in hosts


def session_of(headers: Headers) -> str:
    """The session cookie, or ""."""
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a plain form. Raises HTTPException 413 when it is larger than any of ours."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise HTTPException(413)
    return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=20))


def secured(response: Response) -> Response:
    """The response with the security headers: for what is answered outside the middleware."""
    response.headers.update(HEADERS)
    return response


class SecurityHeaders:
    """Puts the security headers on every response; pages are not kept by the browser."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                fixed = scope["path"].startswith("/static/")
                headers.setdefault("Cache-Control", "no-cache" if fixed else "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


class KnownHost:
    """Answers only to our own names, so that a foreign site cannot reach us by pointing its name at this machine."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and host_of(Headers(scope=scope).get("host", "")) not in self._hosts:
            refusal = PlainTextResponse(
                "Unknown host: open the address that lyhord printed.\n", status_code=421
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _sign(token: str, purpose: str, value: str) -> str:
    return hmac.new(token.encode(), f"{purpose}\0{value}".encode(), sha256).hexdigest()
