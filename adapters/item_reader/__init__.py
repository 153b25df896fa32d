"""The item finder in this process: the first layers of a language model on CTranslate2, and trained heads in numpy."""

from adapters.item_reader.engine import ENTAILMENT, HEAD, ItemReaderEngine, revision_of
from adapters.item_reader.entailment import EntailmentHead
from adapters.item_reader.head import Head
from adapters.item_reader.trunk import Trunk

__all__ = ["ENTAILMENT", "HEAD", "EntailmentHead", "Head", "ItemReaderEngine", "Trunk", "revision_of"]
