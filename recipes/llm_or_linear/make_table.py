"""Write made-up text messages, spam or ham; nothing is fetched.

python recipes/llm_or_linear/make_table.py build/messages.csv
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

ROWS = 160
NAMES = ["Ann", "Ben", "Cem", "Dora", "Eli", "Fay", "Gus", "Hana", "Ivo", "Jo", "Kim", "Lea"]
PLACES = ["the station", "the office", "the gym", "our place", "the café", "school", "the market", "the dentist"]
THINGS = ["milk", "the keys", "your charger", "the report", "tickets", "the blue folder", "my umbrella", "some bread"]
PRIZES = ["a new phone", "£500 cash", "a weekend in Rome", "free ringtones", "a gift card", "a loan of 5", "000"]
FIRMS = ["BestBank", "LuckyDraw", "MobileClub", "FastLoan", "ParcelNow", "StreamPlus"]
HAM = (
    "Hi {name}, running {n} minutes late, see you at {place}",
    "Can you bring {thing} when you come to {place}?",
    "{name} called, please ring back before {n}",
    "Did you win the game last night? Call me, {name}",
    "Your appointment at {place} is confirmed for {n} o'clock",
    "Free tomorrow? We could meet {name} at {place}",
    "I left {thing} at {place}, could you claim it for me? Thanks, {name}",
    "The parcel with {thing} is at {place}, no rush",
)
SPAM = (
    "Congratulations {name}! You have won {prize}. Call 0900{n}{n} now to claim",
    "{firm}: you were chosen for {prize}, reply YES within {n} hours",
    "Final notice from {firm}: your parcel waits, pay the fee at the link now",
    "Hi {name}, {firm} gives you {prize} today, no strings, text WIN to 8{n}",
    "{firm}: your account is locked. Confirm your details to get {prize}",
    "Earn {n}00 a day from home, {name}. Ask {firm} how",
    "Last chance for {prize}! Stop by our site, {firm}",
    "Hi {name}, it's me. I need {thing}, send it through {firm} please, urgent",
)


def message(label: str, dice: random.Random) -> str:
    """A message of two remarks; one remark in eight sounds like the other kind."""
    sides = [label if dice.random() > 1 / 8 else {"spam": "ham", "ham": "spam"}[label] for _ in range(2)]
    words = {
        "name": dice.choice(NAMES),
        "place": dice.choice(PLACES),
        "thing": dice.choice(THINGS),
        "prize": dice.choice(PRIZES),
        "firm": dice.choice(FIRMS),
        "n": dice.randint(2, 59),
    }
    return ". ".join(dice.choice(SPAM if side == "spam" else HAM).format(**words) for side in sides)


def main(target: Path) -> None:
    """Write the table: id, text, label."""
    dice = random.Random(7)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        for row in range(ROWS):
            label = dice.choice(["ham", "spam"])
            writer.writerow([row, message(label, dice), label])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/messages.csv"))
