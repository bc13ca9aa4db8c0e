"""Write notes on loan applications, in Chinese and in English, with numbers and a region beside them; nothing is fetched.

python recipes/risk/make_table.py build/risk.csv

One in four is a risk. The note tells a part of it, and age, income and region another part. The column ``decision_code`` was
written after the decision: put it into data.features, and ``ratchet check`` says that it tells the label (leaks.feature).
"""

from __future__ import annotations

import csv
import math
import random
import sys
from pathlib import Path

ROWS = 2_000
REGIONS = {"north": -0.6, "south": 0.5, "east": -0.2, "west": 0.9, "上海": -0.8, "成都": 0.4}
RISKY = {
    "en": "late with a payment|two open loans|changed jobs twice this year|no savings|address not confirmed|asked for cash",
    "zh": "上月逾期|有两笔未还贷款|一年换了两次工作|没有存款|地址无法核实|要求现金放款",
}
SAFE = {
    "en": "pays on time|long with the same employer|owns the flat|savings for six months|known customer|guarantor signed",
    "zh": "按时还款|工作多年稳定|有自住房|存款充足|老客户|有担保人",
}
PLAIN = {
    "en": "called today|wants a car|speaks for the family|papers are complete|came by the website|second visit|asks for terms",
    "zh": "周一来电|打算买车|代家人咨询|材料齐全|网站申请|第二次来访|询问细节",
}
BASE = -1.75


def row(number: int, dice: random.Random) -> list[object]:
    """One application."""
    language = dice.choice(("en", "zh"))
    leaning = dice.gauss(0, 1.2)
    age = min(75, max(19, round(dice.gauss(41, 12))))
    income = round(math.exp(dice.gauss(8.6, 0.5)) / 10) * 10
    region = dice.choice(sorted(REGIONS))
    log_odds = BASE + leaning + REGIONS[region] - 1.1 * (math.log(income) - 8.6) / 0.5 - 0.5 * (age - 41) / 12
    risk = dice.random() < 1 / (1 + math.exp(-log_odds))
    remarks = dice.sample(PLAIN[language].split("|"), k=dice.randint(1, 3))
    for _ in range(dice.randint(1, 2)):
        side = RISKY if dice.random() < 1 / (1 + math.exp(-1.5 * leaning)) else SAFE
        remarks.append(dice.choice(side[language].split("|")))
    dice.shuffle(remarks)
    note = ("，" if language == "zh" else ", ").join(remarks) + f" #{number}"
    shown_age = "" if dice.random() < 0.05 else age
    code = dice.choice(("R1", "R2") if risk else ("A1", "A2", "A3")) if dice.random() > 0.005 else "X0"
    return [note, shown_age, income, region, code, "risk" if risk else "fine"]


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "risk.csv")
    target.parent.mkdir(parents=True, exist_ok=True)
    dice = random.Random(5)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["note", "age", "income", "region", "decision_code", "outcome"])
        writer.writerows(row(number, dice) for number in range(1_000, 1_000 + ROWS))
    print(f"{ROWS:,} applications in {target}")


if __name__ == "__main__":
    main()
