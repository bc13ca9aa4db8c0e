"""Write pairs of questions, in Chinese and in English: do the two ask the same? Nothing is fetched.

python recipes/pairs/make_table.py build/pairs.csv
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

ROWS = 2_000
OWNERS = {
    "en": ["student", "family", "business", "senior", "weekend", "city", "travel", "online", "junior", "holiday"],
    "zh": ["学生", "家庭", "企业", "老年", "周末", "城市", "旅行", "网上", "少儿", "假日"],
}
KINDS = {
    "en": ["visa", "bank card", "library card", "parking permit", "season ticket", "gym pass", "insurance", "voucher"],
    "zh": ["签证", "银行卡", "借书证", "停车证", "月票", "健身卡", "保险单", "礼品券"],
}
"""A question is about the thing of an owner, such as a family visa."""
WAYS = {
    "en": {
        "lost": ["I lost my {}, what now?", "What if I lost my {}?", "Who helps when I lost a {}?", "My {} is gone"],
        "renew": ["How do I renew my {}?", "Where do I renew a {}?", "Please renew my {}", "My {} runs out soon"],
        "price": ["How much does a {} cost?", "What is the cost of a {}?", "Does a {} cost less?", "Price of a {}?"],
        "time": ["When is my {} ready?", "How many days until a {} is ready?", "Is my {} ready?", "I wait for my {}"],
        "cancel": ["How do I cancel my {}?", "I want to cancel my {}", "Cancel the {} today", "I give my {} back"],
    },
    "zh": {
        "lost": ["我的{}丢了怎么办？", "{}丢了应该找谁？", "我把{}弄丢了", "找不到{}了，请帮忙"],
        "renew": ["{}怎么续期？", "想给{}续期，在哪里办？", "网上能给{}续期吗？", "{}快过期了"],
        "price": ["{}多少钱？", "办{}要多少钱？", "一年的{}是多少钱？", "请问{}收费吗？"],
        "time": ["{}几天能办好？", "我的{}什么时候能办好？", "{}三天能办好吗？", "{}要等多久？"],
        "cancel": ["{}怎么取消？", "我想取消{}", "请今天就取消{}", "我不想要{}了"],
    },
}
NEIGHBOUR = 0.15
"""Share of the other pairs that ask the same about another thing."""
WRONG = 0.05
"""Share of the rows whose label is wrong, as people give them."""


def pair(dice: random.Random) -> tuple[str, str, bool, str]:
    """Two questions, whether they ask the same, and their group: the thing, or the two neighbours that it is one of."""
    language, same = dice.choice(sorted(WAYS)), dice.random() < 0.5
    owner, place = dice.choice(OWNERS[language]), dice.randrange(len(KINDS[language]))
    ways, between = WAYS[language], " " if language == "en" else ""
    way = other = dice.choice(sorted(ways))
    kinds = [KINDS[language][place]] * 2
    if not same and dice.random() < NEIGHBOUR:
        kinds[1] = KINDS[language][place ^ 1]
    elif not same:
        other = dice.choice([one for one in sorted(ways) if one != way])
    first, second = (
        dice.choice(ways[one]).format(f"{owner}{between}{kind}") for one, kind in zip((way, other), kinds, strict=True)
    )
    return first, second, same, f"{language}-{owner}-{place // 2}"


def overlap(first: str, second: str) -> float:
    """Share of the pairs of neighbouring characters of both that they have in common (Jaccard)."""
    one, two = ({text[i : i + 2].lower() for i in range(len(text) - 1)} for text in (first, second))
    return len(one & two) / len(one | two)


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "pairs.csv")
    target.parent.mkdir(parents=True, exist_ok=True)
    dice, seen = random.Random(11), set[tuple[str, str]]()
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["first", "second", "meaning", "thing", "overlap", "length_gap"])
        while len(seen) < ROWS:
            first, second, same, group = pair(dice)
            if first == second or (first, second) in seen:
                continue
            seen.add((first, second))
            label = same if dice.random() > WRONG else not same
            gap = abs(len(first) - len(second))
            writer.writerow([first, second, "same" if label else "other", group, f"{overlap(first, second):.3f}", gap])
    print(f"{ROWS:,} pairs in {target}")


if __name__ == "__main__":
    main()
