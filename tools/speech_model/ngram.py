"""The language model: which word follows which, with absolute discounting and every word possible."""

import math
from collections import defaultdict
from dataclasses import dataclass

START, END = "<s>", "</s>"
DISCOUNT = 0.5


@dataclass(frozen=True)
class Bigrams:
    """Costs, as negative natural logarithms of probabilities.

    Attributes:
        single: word to its cost after a step back.
        pairs: word to the costs of what may follow it.
        back: word to the cost of the step back.
    """

    single: dict[str, float]
    pairs: dict[str, dict[str, float]]
    back: dict[str, float]


def estimate(weighted: list[tuple[list[str], float]], usual: dict[str, float]) -> Bigrams:
    """Estimate the model.

    Sentences of a pattern weigh little, so the discount is a share of the weight where that is below one:
    otherwise a thousand light pairs would lose everything to the step back.

    Args:
        weighted: sentences with their weights.
        usual: every word of the vocabulary, with what it counts beside the sentences.
    """
    single: dict[str, float] = defaultdict(float)
    pairs: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for sentence, weight in weighted:
        for before, word in zip([START, *sentence], [*sentence, END], strict=True):
            pairs[before][word] += weight
            single[word] += weight
    for word, count in usual.items():
        single[word] += count
    total = sum(single.values())
    costs: dict[str, dict[str, float]] = {}
    back: dict[str, float] = {}
    for before, followers in pairs.items():
        mass = sum(followers.values())
        kept = {word: count - DISCOUNT * min(count, 1) for word, count in followers.items()}
        costs[before] = {word: -math.log(count / mass) for word, count in kept.items()}
        back[before] = -math.log(1 - sum(kept.values()) / mass)
    return Bigrams({w: -math.log(c / total) for w, c in single.items()}, costs, back)
