"""What the parts of the Start page share: whose draft of which study this is, changing it, and what is said after a change."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st

from planner.errors import PlannerError
from planner.pages import shared
from planner.words import Lang
from planner.workspace import draft
from planner.workspace.draft import Draft


@dataclass(frozen=True)
class Desk:
    """One person at one study.

    Attributes:
        file: the study's study.toml.
        draft_id: which draft of it is this person's.
        lang: of this session.
    """

    file: Path
    draft_id: str
    lang: Lang

    def draft(self) -> Draft:
        """Return the draft as it is on disk."""
        return draft.read(self.file, self.draft_id)


def keyed(*parts: object) -> str:
    """Return a key for a widget of just these parts: what it shows must be among them.

    A drop-down whose labels change under the same key gives back the label that was chosen before as if it had been typed.
    """
    return f"{parts[0]} {hashlib.sha256(repr(parts).encode('utf-8')).hexdigest()[:12]}"


def change(desk: Desk, edit: Callable[[Draft], Draft]) -> None:
    """Change the draft on disk; what goes wrong is said on the page."""
    try:
        draft.keep(desk.file, desk.draft_id, edit(desk.draft()))
    except PlannerError as error:
        flash("error", error.text(desk.lang))


def flash(kind: Literal["success", "info", "error"], words: str) -> None:
    """Say something when the page is next shown, once."""
    st.session_state.setdefault("flashes", []).append((kind, words))


def flashes() -> None:
    """Show what there is to say."""
    for kind, words in st.session_state.pop("flashes", []):
        {"success": st.success, "info": st.info, "error": st.error}[kind](shared.plain(words))
