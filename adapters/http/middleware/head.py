"""HEAD for whatever GET is there: the same answer without its body. Pure ASGI."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.http.middleware.envelope import UPLOADS


class HeadLikeGet:
    """Asks the routes for GET and keeps the body back. Uploads have a HEAD of their own, which the tus protocol describes.

    A stream hears that its client has gone as soon as its headers are out: it would never end by itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"].startswith(f"{UPLOADS}/"):
            await self.app(scope, receive, send)
            return
        started = False

        async def receive_until_started() -> Message:
            return {"type": "http.disconnect"} if started else await receive()

        async def send_head(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                scope.update({**asked, "method": "HEAD"})  # the log reads the route; the server must not forget that it is HEAD
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        asked = {**scope, "method": "GET"}
        await self.app(asked, receive_until_started, send_head)
