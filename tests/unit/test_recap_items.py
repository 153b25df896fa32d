"""Decisions, action items and open questions of small meetings, item by item."""

import pytest

from application.recap.actions import action_items_in
from application.recap.dates import due_in
from application.recap.decisions import decisions_in
from application.recap.items import Dialogue
from application.recap.questions import open_questions_in
from application.recap.sentences import sentences_of
from application.recap.vectors import lexical_vectors
from tests.doubles_recap import conversation

SPORTS_CLUB = [
    ("Chair", "Good afternoon everyone. First item, the roof of the sports hall."),
    ("Lena", "The roofer says the leak is getting worse. He can come in two weeks, but he wants six thousand up front."),
    ("Marc", "Six thousand is more than we have in the repairs account. There is four thousand left."),
    ("Chair", "Could we take the rest from the reserve?"),
    ("Marc", "Yes, the reserve is fine for that."),
    ("Chair", "OK, so let's hire the roofer and take two thousand from the reserve. Is everybody happy with that?"),
    ("Lena", "Yes."),
    ("Marc", "Agreed."),
    ("Lena", "I'll call him this afternoon and confirm the date."),
    ("Chair", "Thanks, Lena. Marc, please transfer the money before Thursday."),
    ("Marc", "Will do."),
    ("Chair", "Next, the membership fee. We talked about raising it to thirty five euros."),
    ("Lena", "I don't think we should do that this year. People are already complaining."),
    ("Marc", "True. And we would only get about eight hundred more."),
    ("Chair", "Then the fee stays at thirty euros for this year."),
    ("Marc", "Fine with me."),
    ("Lena", "Do we know whether the city will renew our contract for the hall?"),
    ("Chair", "No, not yet. They have not answered my letter. We'll have to see."),
    (
        "Chair",
        "Last thing, the newsletter. Sofia can't be here, but she told me that she will finish it by the twentieth of June.",
    ),
    ("Marc", "Great."),
    ("Chair", "We agreed to print only two hundred copies this time."),
]
MIGRATION = [
    ("Speaker 1", "Can you get the migration done before the end of the quarter?"),
    ("Speaker 2", "I think so. I'll write a script to clean the addresses and we should be through by March 15th."),
    ("Speaker 3", "What about the old database? When do we switch it off?"),
    ("Speaker 1", "I'd propose we keep it running for another three months, just in case."),
    ("Speaker 3", "Makes sense."),
    ("Speaker 2", "Yeah, works for me."),
    ("Speaker 1", "Good, then the old database stays up until the end of June."),
    ("Speaker 3", "Who is going to inform the customers about the downtime?"),
    ("Speaker 1", "Good question. We need to check with legal first."),
    ("Speaker 1", "And we will not offer weekend support during the migration. Everybody clear on that?"),
    ("Speaker 3", "Clear."),
    ("Speaker 1", "One question remains: do we have to pay for two licences during the overlap?"),
    ("Speaker 2", "I honestly don't know."),
    ("Speaker 1", "Let's leave that for next time. Could you look into the licence contract until Monday?"),
    ("Speaker 3", "Yes, no problem."),
]
RECOGNISED = [
    "Good, we shorten the course to six weeks, I will tell the teachers tomorrow so that",
    "they can plan.",
    "I can fix the projector by Wednesday, but then we need some days to test it.",
    "So, let me repeat. The course is six weeks. Nadia fixes the projector by Wednesday and orders the books on the 3rd of May.",
]


def dialogue_of(*turns):
    sentences = sentences_of(conversation(*turns))
    vectors = lexical_vectors([sentence.clean for sentence in sentences])
    return Dialogue(sentences, {s.index: v for s, v in zip(sentences, vectors, strict=True) if not s.is_backchannel})


def without_names(turns):
    return [(None, text) for _, text in turns]


def decisions(turns):
    return [item.text for item in decisions_in(dialogue_of(*turns), {}, 20)]


def actions(turns):
    return [(item.text, item.owner, item.due) for item in action_items_in(dialogue_of(*turns), {}, 20)]


def questions(turns):
    return [item.text for item in open_questions_in(dialogue_of(*turns), {}, 20)]


@pytest.mark.parametrize("prepare", [list, without_names])
def test_the_decisions_of_a_club_meeting_are_found_with_and_without_speakers(prepare):
    assert decisions(prepare(SPORTS_CLUB)) == [
        "Let's hire the roofer and take two thousand from the reserve.",
        "The fee stays at thirty euros for this year.",
        "We agreed to print only two hundred copies this time.",
    ]


@pytest.mark.parametrize("prepare", [list, without_names])
def test_the_decisions_of_a_project_meeting_are_found_with_and_without_speakers(prepare):
    found = decisions(prepare(MIGRATION))
    assert "The old database stays up until the end of June." in found
    assert "We will not offer weekend support during the migration." in found
    assert len(found) <= 3


def test_action_items_have_the_one_who_promised_or_was_asked_and_the_date():
    assert actions(SPORTS_CLUB) == [
        ("Call him this afternoon and confirm the date.", "Lena", "this afternoon"),
        ("Transfer the money before Thursday.", "Marc", "Thursday"),
        ("Finish it by the twentieth of June.", "Sofia", "the twentieth of June"),
    ]
    assert actions(MIGRATION) == [
        ("Write a script to clean the addresses.", "Speaker 2", "March 15th"),
        ("Look into the licence contract until Monday.", "Speaker 3", "Monday"),
    ]


def test_without_speakers_an_owner_is_only_who_is_named():
    owners = [owner for _, owner, _ in actions(without_names(SPORTS_CLUB))]
    assert owners == ["Lena", "Marc", "Sofia"]
    assert [owner for _, owner, _ in actions(without_names(MIGRATION))] == [None, None]


def test_open_questions_are_those_that_nobody_could_answer():
    assert questions(SPORTS_CLUB) == ["Do we know whether the city will renew our contract for the hall?"]
    assert questions(MIGRATION) == [
        "Who is going to inform the customers about the downtime?",
        "One question remains: do we have to pay for two licences during the overlap?",
    ]


def test_commas_for_full_stops_and_a_spoken_summary_are_understood():
    turns = [(None, text) for text in RECOGNISED]
    assert decisions(turns) == ["We shorten the course to six weeks."]
    assert actions(turns) == [
        ("Tell the teachers tomorrow.", None, "tomorrow"),
        ("Fix the projector by Wednesday.", "Nadia", "Wednesday"),
        ("Order the books on the 3rd of May.", "Nadia", "the 3rd of May"),
    ]


def test_a_question_that_points_back_brings_what_it_points_to():
    turns = [
        (
            "Ewa",
            "There is one thing that I do not know. The stand at the fair is booked. If we keep it longer, who pays for it?",
        ),
        ("Kim", "I do not know either. Let us keep that question open."),
    ]
    assert questions(turns) == ["The stand at the fair is booked. If we keep it longer, who pays for it?"]


@pytest.mark.parametrize(
    ("talk", "decided"),
    [
        (
            [("Ben", "Then the firm would only take the desks."), ("Ana", "Let's do that. We hire the firm for the desks only.")],
            "We hire the firm for the desks only.",
        ),
        (
            [("Ana", "So we do the painting in August. Is that okay for everybody?"), ("Ben", "Yes.")],
            "We do the painting in August.",
        ),
    ],
)
def test_what_follows_an_acceptance_and_what_is_to_be_done_is_decided(talk, decided):
    assert decisions(talk) == [decided]


@pytest.mark.parametrize(
    "talk",
    [
        [("A", "So we do need a bigger room."), ("B", "Right.")],
        [("A", "So we do the same thing every month."), ("B", "Yes.")],
        [("A", "Let's do that later."), ("B", "Okay. We have the numbers from June.")],
        [("A", "When will we know the budget?"), ("B", "In June, I think.")],
        [("A", "Could you show us the numbers?"), ("B", "Of course. In January it was thirty.")],
        [("A", "What do you think about the colour?"), ("B", "I don't know.")],
        [("A", "Let's begin."), ("B", "Yes.")],
        [("A", "We will look at the numbers again in April."), ("B", "Fine.")],
        [("A", "We now load the list of cards only once."), ("B", "Great.")],
        [("A", "If we start at seven, most of them are gone by eight."), ("B", "I agree.")],
        [("A", "I will explain that in a minute."), ("B", "Sure.")],
        [("A", "So there are two problems, the desk and the tests."), ("B", "Right.")],
        [("A", "If we are going for the faster one, it needs more technology."), ("B", "Okay.")],
        [("A", "We can pay that from the reserve, maybe."), ("B", "Okay.")],
    ],
)
def test_ordinary_talk_holds_no_items(talk):
    assert decisions(talk) == []
    assert actions(talk) == []
    assert questions(talk) == []


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("by Friday", "Friday"),
        ("on the first of March", "the first of March"),
        ("on the 16th of May", "the 16th of May"),
        ("by May 16th at noon", "May 16th"),
        ("by the end of the month", "the end of the month"),
        ("it tomorrow, so that they know", "tomorrow"),
        ("within two weeks", "within two weeks"),
        ("before the next meeting", "the next meeting"),
        ("on Monday and send it by Wednesday", "Wednesday"),
        ("bis Freitag", "Freitag"),
        ("on the sixteenth, when the crash is fixed", "the sixteenth"),
        ("a second desk between eight and ten", None),
        ("the first proposal", None),
        ("Friday was bad", None),
        ("it may rain", None),
    ],
)
def test_a_due_date_is_in_the_words_that_were_said(text, due):
    assert due_in(text) == due


@pytest.mark.parametrize(
    ("turns", "decision", "action", "question"),
    [
        (
            [
                ("Anna", "Wir haben beschlossen, einen neuen Drucker zu kaufen."),
                ("Ben", "Ich bestelle ihn bis Freitag."),
                ("Anna", "Wer bezahlt die Reparatur vom letzten Monat?"),
                ("Ben", "Das weiß ich nicht, das müssen wir noch klären."),
            ],
            "Wir haben beschlossen, einen neuen Drucker zu kaufen.",
            ("Ich bestelle ihn bis Freitag.", "Ben", "Freitag"),
            "Wer bezahlt die Reparatur vom letzten Monat?",
        ),
        (
            [
                ("Anna", "Nous avons décidé de louer une imprimante plus rapide."),
                ("Ben", "Je vais envoyer le contrat avant vendredi."),
                ("Anna", "Qui paie la réparation ?"),
                ("Ben", "Je ne sais pas, il faut demander."),
            ],
            "Nous avons décidé de louer une imprimante plus rapide.",
            ("Je vais envoyer le contrat avant vendredi.", "Ben", "vendredi"),
            "Qui paie la réparation?",
        ),
        (
            [
                ("Anna", "Hemos decidido comprar una impresora nueva."),
                ("Ben", "Me encargo de llamar al proveedor mañana."),
                ("Anna", "¿Quién paga la reparación?"),
                ("Ben", "No lo sé."),
            ],
            "Hemos decidido comprar una impresora nueva.",
            ("Me encargo de llamar al proveedor mañana.", "Ben", "mañana"),
            "¿Quién paga la reparación?",
        ),
    ],
)
def test_the_plainest_cues_of_other_languages_are_known(turns, decision, action, question):
    assert decisions(turns) == [decision]
    assert actions(turns) == [action]
    assert questions(turns) == [question]


def test_a_date_may_stand_in_the_request_or_in_the_next_breath():
    asked = [("A", "Carla, can you send the list by Friday?"), ("B", "Yes, I will send the list.")]
    assert actions(asked) == [("Send the list.", "B", "Friday")]
    next_breath = [("B", "I will hire a temporary clerk. The new desk can open on the first of March.")]
    assert actions(next_breath) == [("Hire a temporary clerk.", "B", "the first of March")]
    other_matter = [("B", "I will hire a temporary clerk. The fair was on the first of March.")]
    assert actions(other_matter) == [("Hire a temporary clerk.", "B", None)]


def test_a_called_name_is_a_better_owner_than_a_diarizers_number():
    talk = [("SPEAKER_00", "Carla, can you send the list by Friday?"), ("SPEAKER_01", "Yes, I will send the list.")]
    assert [owner for _, owner, _ in actions(talk)] == ["Carla"]
    assert [owner for _, owner, _ in actions([("SPEAKER_01", "I will send the list by Friday.")])] == ["SPEAKER_01"]
