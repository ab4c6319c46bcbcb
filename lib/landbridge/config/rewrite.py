"""The chat model that rewrites texts before they are encoded: where it is, what it is told, what it may cost."""

from __future__ import annotations

import hashlib
import json
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from landbridge.config.node import Node


class Rewrite(Node):
    """A chat model behind an endpoint that speaks as OpenAI's does. Left out, texts stay as they are."""

    url: str = Field(
        description="The endpoint up to /chat/completions, for instance http://chat.internal:8000/v1; no key in it."
    )
    model: str = Field(min_length=1, description="The model's name there.")
    key_variable: str | None = Field(
        None,
        pattern=r"^[A-Z][A-Z0-9_]*$",
        description="The name of the environment variable that holds the key, never the key; none is sent without.",
    )
    items: str | None = Field(
        None, min_length=1, description="What the model is told to make of an item's text; left out, items keep theirs."
    )
    users: str | None = Field(None, min_length=1, description="The same of a user's text, which encode.users makes.")
    parameters: dict[str, float | int | str | bool] = Field(
        default_factory=dict, description="Further fields of a request, for instance {temperature: 0, max_tokens: 200}."
    )
    budget: int = Field(
        1000, ge=1, description="Requests a night, retries included: for items before users, the newest first."
    )
    concurrency: int = Field(4, ge=1, le=64, description="Requests at once.")
    timeout: float = Field(30.0, gt=0, description="Seconds until a request counts as failed.")
    retries: int = Field(2, ge=0, description="How often a text is sent again after 429, 5xx, or no answer.")
    backoff: float = Field(
        1.0, ge=0, description="Seconds before the first retry, doubled with each; Retry-After may make it longer."
    )
    failures: int = Field(5, ge=1, description="Texts without an answer in a row after which the night stops asking.")
    minutes: float = Field(30.0, gt=0, description="After so much time of asking the night stops it.")
    most_characters: int = Field(2000, ge=1, description="A longer answer is none.")

    @field_validator("url")
    @classmethod
    def _is_an_address_without_secrets(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("must begin with http:// or https:// and a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must hold no user, password or query: name the key's variable in key_variable")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _has_something_to_do(self) -> Self:
        if self.items is None and self.users is None:
            raise ValueError("tells the model nothing: say what to make of a text in items or users")
        return self

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # the parameters are a dict, and who loads an encoder remembers settings

    def revision(self, instruction: str) -> str:
        """Return a hash of all that decides what an answer is: to another model or instruction it is another."""
        asked = json.dumps([self.model, instruction, self.parameters], sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()[:16]
