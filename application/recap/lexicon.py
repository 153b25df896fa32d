"""Word lists that the rules read: function words, fillers, number words, months and weekdays.

English is covered in full; German, French, Spanish and Portuguese have the words that decide something (function
words, negation, weekdays, months). Other languages fall back to word length, question marks and vectors.
"""

from typing import Final


def in_order(words: str) -> tuple[str, ...]:
    """Return the words of a line in its order."""
    return tuple(words.split())


def word_set(words: str) -> frozenset[str]:
    """Return the words of a line."""
    return frozenset(words.split())


STOP_WORDS: Final = word_set(
    # English
    "a an the this that these those there here it its it's he she they them his her hers their theirs him we us our "
    "ours you your yours i me my mine myself yourself themselves itself one ones who whom whose which what when where "
    "why how and or but nor so if then than because as until till while of at by for with about against between into "
    "through during before after above below to from up down in out on off over under again further once all any both "
    "each few more most other some such only own same too very s t can will just don should now am is are was were be "
    "been being have has had having do does did doing would could may might must shall let lets let's also well "
    "really quite rather maybe perhaps like get got go going gonna wanna want wants thing things something anything "
    "everything somebody anybody everybody someone anyone everyone lot bit way kind sort say says said saying know "
    "think mean see look okay ok yeah yes yep no not right sure actually basically probably i'm i'll i've i'd we're "
    "we'll we've we'd you're you'll you've they're they'll they've that's there's what's isn't aren't wasn't don't "
    "doesn't didn't won't can't cannot couldn't wouldn't shouldn't haven't hasn't much many make makes made take "
    "takes still even ever every another us"
    # German
    "der die das den dem des ein eine einen einem einer eines und oder aber denn wenn weil dass ob als wie wir ihr "
    "sie er es ich du mich mir dich dir ihm ihn uns euch mein dein sein unser ist sind war waren wird werden wurde "
    "haben hat hatte hatten auch noch nur schon so dann da hier von vom zu zum zur mit bei nach aus auf in im an am "
    "für über unter um durch nicht kein keine ja nein kann können soll sollen muss müssen will wollen mal also sehr "
    "mehr man sich was wer wo wann"
    # French
    "le la les l un une des du de d et ou mais donc car si que qui quoi dont où je tu il elle on nous vous ils elles "
    "me te se lui leur mon ton son notre votre ce cet cette ces est sont était être avoir ai as a avons avez ont fait "
    "faire pour par avec sans sur sous dans en au aux ne pas plus très bien aussi oui non y là"
    # Spanish and Portuguese
    "el los las lo al del un una unos unas y o u pero si porque como cuando donde quien yo tú él ella nosotros "
    "vosotros ellos ellas mi tu su nuestro es son era ser estar está están hay ha han he hemos para por con sin sobre "
    "entre muy más también ya sí no o os as ao à do da dos das um uma uns umas e mas ou não sim eu você ele ela nós "
    "eles elas meu seu nosso é são foi está estão tem têm para por com sem muito mais também já que quem"
)
"""Words that carry no topic."""

FILLERS: Final = word_set(
    "um uh uhm er erm ehm hm hmm mm mmm mhm mm-hmm mm-mm uh-huh äh ähm hum euh eh pff tsk kay 'kay huh ah oh"
)
"""Sounds that are removed from quoted sentences."""

BACKCHANNELS: Final = FILLERS | word_set(
    "yes yeah yep yup no nope okay ok right sure fine good great alright all exactly thanks thank you bye hi hello "
    "hey morning cool well so and but or the a i see mean know it's that's it is that oh true absolutely definitely "
    "indeed please sorry ja nein genau danke gut klar oui non merci bien voilà sí vale gracias claro sim obrigado "
    "obrigada"
)
"""A sentence of these words alone says nothing that could be cited."""

NEGATIONS: Final = word_set(
    "not no never none nobody nothing neither nor cannot without don't doesn't didn't won't can't isn't aren't wasn't "
    "weren't couldn't wouldn't shouldn't haven't hasn't hadn't ain't nicht kein keine keinen keiner nie niemals ohne "
    "niemand nichts pas jamais aucun aucune sans rien ni nunca jamás sin ningún ninguna nada não nem sem nenhum "
    "nenhuma"
)

UNITS: Final = {
    word: value
    for value, word in enumerate(
        in_order(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
            "eighteen nineteen"
        )
    )
}
TENS: Final = {
    word: 10 * value for value, word in enumerate(in_order("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)
}
ORDINALS: Final = {
    word: value
    for value, word in enumerate(
        in_order(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
            "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
        ),
        start=1,
    )
} | {"thirtieth": 30}
SCALES: Final = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}

WEEKDAYS: Final = in_order(
    "monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag freitag samstag "
    "sonntag lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miércoles jueves viernes sábado domingo "
    "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira"
)
MONTHS: Final = in_order(
    "january february march april may june july august september october november december januar februar märz mai "
    "juni juli oktober dezember janvier février mars avril juin juillet août septembre octobre novembre décembre "
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
)

REPORTING: Final = word_set(
    "team group meeting speaker speakers participant participants member members discuss discussed discussing "
    "discusses discussion mention mentioned mentions explain explained explains suggest suggested suggests talk "
    "talked talks state stated states note noted notes ask asked asks describe described describes present presented "
    "presents introduce introduced introduces propose proposed proposes consider considered considering express "
    "expressed report reported reports argue argued point pointed emphasize emphasized highlight highlighted address "
    "addressed including include includes various several topic topics first firstly finally lastly next later "
    "conversation participants person people explore explored reviewed review focus focused focuses importance "
    "important need needs needed potential use used using idea ideas"
)
"""Words that a summary adds about the act of speaking; they claim nothing that the notes must hold."""

LANGUAGE_NAMES: Final = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "pt": "Portuguese", "it": "Italian", "nl": "Dutch",
    "pl": "Polish", "cs": "Czech", "sv": "Swedish", "da": "Danish", "no": "Norwegian", "fi": "Finnish", "el": "Greek",
    "tr": "Turkish", "ru": "Russian", "uk": "Ukrainian", "ro": "Romanian", "hu": "Hungarian", "ja": "Japanese", "zh": "Chinese",
    "ko": "Korean", "ar": "Arabic", "he": "Hebrew", "hi": "Hindi", "vi": "Vietnamese", "id": "Indonesian", "th": "Thai",
}  # fmt: skip
