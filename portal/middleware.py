"""Let one class serve as middleware of both worlds, synchronous and asynchronous."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponseBase

Handler = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class Middleware:
    """Run `before` and `after` around the rest; a response from `before` takes the place of everything inside.

    Both stay on the event loop unless `blocks` says that they wait for a network or a disk for this request.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self._asynchronous = iscoroutinefunction(get_response)
        if self._asynchronous:
            markcoroutinefunction(self)

    def before(self, request: HttpRequest) -> HttpResponseBase | None:
        """Look at the request; None lets it pass."""
        return None

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Return the response to send; not called when `before` answered."""
        return response

    def blocks(self, request: HttpRequest) -> bool:
        """Tell whether `before` and `after` wait for something outside the process."""
        return False

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Handle one request, in the world that this middleware was made for."""
        if self._asynchronous:
            return self._acall(request)
        early = self.before(request)
        return early if early is not None else self.after(request, cast(HttpResponseBase, self.get_response(request)))

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        if self.blocks(request):
            early = await sync_to_async(self.before, thread_sensitive=True)(request)
        else:
            early = self.before(request)
        if early is not None:
            return early
        response = await cast(Awaitable[HttpResponseBase], self.get_response(request))
        if self.blocks(request):
            return await sync_to_async(self.after, thread_sensitive=True)(request, response)
        return self.after(request, response)
