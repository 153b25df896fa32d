"""What a request says of speakers: nothing, whether they are wanted, or how many there are and what they are called."""

import json
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StringConstraints, model_validator
from pydantic.json_schema import WithJsonSchema

from adapters.http.common.body import Body
from application.speakers.asked import SpeakersAsked
from application.transcript_formats import one_line
from domain.canonical import Json
from domain.named_speakers import MOST_SPEAKERS, ToldBy, label_of
from domain.speakers import SpeakerCount


def _told_on_one_line(name: str) -> str:
    """Raises ValueError for a name of which nothing can be seen."""
    told = one_line(name)
    if not told:
        raise ValueError("is no name")
    return told


SpeakerName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128), AfterValidator(_told_on_one_line)
]
Number = Annotated[int, Field(strict=True, ge=1, le=MOST_SPEAKERS)]


class SpeakersBody(Body):
    """`count`, or `min` and `max`: how many speakers there are, as far as that is known. `names` call those who are heard first,
    second and so on; the others are `Speaker 3`, `Speaker 4`. `told_by` voice or channel: what tells them apart; by default their
    channels where every channel has a speaker of its own, else their voices.

    `remember`: of `names`, those whose voice is kept for later recordings; who sends it says that they have agreed to that.
    `recognise`: whether voices that are kept may name speakers. Neither happens without being asked for, and both work by voice.
    """

    count: Number | None = None
    min: Number | None = None
    max: Number | None = None
    names: Annotated[tuple[SpeakerName, ...], Field(max_length=MOST_SPEAKERS)] = ()
    told_by: Literal["voice", "channel"] | None = None
    recognise: StrictBool = False
    remember: Annotated[tuple[SpeakerName, ...], Field(max_length=MOST_SPEAKERS)] = ()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.count is not None and (self.min is not None or self.max is not None):
            raise ValueError("give either count, or min and max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is more than max")
        self._check_names(self.count if self.count is not None else self.max)
        self._check_kept_voices()
        return self

    def _check_names(self, most: int | None) -> None:
        if most is not None and len(self.names) > most:
            raise ValueError("names: more names than speakers")
        if len({name.casefold() for name in self.names}) < len(self.names):
            raise ValueError("names: each name once")
        labels = [label_of(index) for index in range(MOST_SPEAKERS)]
        if any(name in labels and labels.index(name) != index for index, name in enumerate(self.names)):
            raise ValueError("names: a label such as `Speaker 2` belongs to the speaker who is heard second")

    def _check_kept_voices(self) -> None:
        if self.told_by == "channel" and (self.recognise or self.remember):
            raise ValueError("recognise and remember go by voice, not by channel")
        if not set(self.remember) <= set(self.names):
            raise ValueError("remember: whose voice is kept stands in names")
        if set(self.remember) & {label_of(index) for index in range(MOST_SPEAKERS)}:
            raise ValueError("remember: a label such as `Speaker 1` is nobody's name")

    def plain(self) -> Json:
        """Return what a job carries."""
        least, most = (self.min, self.max) if self.count is None else (self.count, self.count)
        told_by = None if self.told_by is None else ToldBy(self.told_by)
        kept = tuple(dict.fromkeys(self.remember))
        return SpeakersAsked(True, SpeakerCount(least, most), self.names, told_by, self.recognise, kept).plain()


def _from_form(value: Any) -> Any:
    """In a form every value is text, which is read as JSON."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError("is no JSON: true, false or an object") from error
    return value


SpeakersChoice: TypeAlias = StrictBool | SpeakersBody
Speakers = Annotated[
    SpeakersChoice | None, Field(description="Whether to find out who speaks, and what is known of it; the service decides")
]
FIELDS = "`true`, `false`, or a JSON object: `count` or `min` and `max`, `names`, `told_by`, `recognise`, `remember`"
FormSpeakers = Annotated[
    SpeakersChoice | None,
    BeforeValidator(_from_form),
    WithJsonSchema({"type": "string", "description": FIELDS}),
]


def plain_speakers(chosen: SpeakersChoice | None) -> Json:
    """Return what a job carries of the field."""
    if isinstance(chosen, SpeakersBody):
        return chosen.plain()
    return {} if chosen else chosen
