"""What a request says of speakers, as a job carries it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from domain.canonical import Json
from domain.named_speakers import ToldBy
from domain.speakers import SpeakerCount


@dataclass(frozen=True, slots=True)
class SpeakersAsked:
    """`wanted` None leaves it to the service. `names` call those heard first, second and so on.

    `told_by`: by voice or by channel, None for what fits the recording. `recognise`: whether voices that the tenant keeps may
    name speakers. `remember`: of `names`, those who have agreed that their voice is kept.
    """

    wanted: bool | None = None
    count: SpeakerCount = field(default_factory=SpeakerCount)
    names: tuple[str, ...] = ()
    told_by: ToldBy | None = None
    recognise: bool = False
    remember: tuple[str, ...] = ()

    @property
    def of_kept_voices(self) -> bool:
        """Whether voices are to be listened to whatever tells the speakers apart: they are compared, or kept."""
        return self.recognise or bool(self.remember)

    def plain(self) -> Json:
        """Return it as JSON: None, false, or an object with what was said."""
        if not self.wanted:
            return self.wanted
        members: dict[str, Json] = {
            "least": self.count.least,
            "most": self.count.most,
            "names": list(self.names) or None,
            "told_by": self.told_by,
            "recognise": self.recognise or None,
            "remember": list(self.remember) or None,
        }
        return {name: value for name, value in members.items() if value is not None}

    @classmethod
    def of(cls, plain: Json) -> "SpeakersAsked":
        if not isinstance(plain, Mapping):
            return cls(wanted=cast(bool | None, plain))
        said = cast(dict[str, Any], plain)
        told_by = said.get("told_by")
        return cls(
            wanted=True,
            count=SpeakerCount(said.get("least"), said.get("most")),
            names=tuple(said.get("names", ())),
            told_by=None if told_by is None else ToldBy(told_by),
            recognise=bool(said.get("recognise", False)),
            remember=tuple(said.get("remember", ())),
        )


UP_TO_THE_SERVICE = SpeakersAsked()
