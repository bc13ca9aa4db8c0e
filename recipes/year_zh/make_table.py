"""Write made-up reviews of a year, in which people take to new words at the end of October; nothing is fetched.

python recipes/year_zh/make_table.py build/year.csv
"""

from __future__ import annotations

import csv
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path

ROWS = 4_000
NEW_WORDS = datetime(2024, 10, 25)
THINGS = [
    "房间",
    "服务",
    "早餐",
    "位置",
    "前台",
    "床铺",
    "浴室",
    "电梯",
    "停车",
    "空调",
    "网络",
    "价格",
    "窗帘",
    "隔音",
    "大堂",
]
BEFORE = {
    "good": ["很好", "满意", "干净", "舒服", "值得", "方便", "热情", "漂亮"],
    "bad": ["很差", "失望", "肮脏", "吵闹", "不值", "麻烦", "冷淡", "破旧"],
}
AFTER = {
    "good": ["绝绝子", "拿捏了", "封神", "真香", "上头", "种草", "宝藏", "安利"],
    "bad": ["踩雷", "拉胯", "翻车", "劝退", "无语", "智商税", "下头", "避雷"],
}
OPENINGS = [
    "这次",
    "总的来说",
    "说实话",
    "第一次来",
    "朋友介绍的",
    "出差住的",
    "带孩子来的",
    "国庆来的",
    "周末来的",
    "感觉",
]


def review(when: datetime, label: str, dice: random.Random) -> str:
    """Two to four remarks; after the turn most of them use the new words, and a tenth of all say the opposite."""
    parts = [dice.choice(OPENINGS)]
    for _ in range(dice.randint(2, 4)):
        side = label if dice.random() > 0.1 else ("bad" if label == "good" else "good")
        words = AFTER if when >= NEW_WORDS and dice.random() < 0.8 else BEFORE
        parts.append(dice.choice(THINGS) + dice.choice(words[side]))
    return "，".join(parts) + f"。{dice.randint(100, 9_999)}元"


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "year.csv")
    target.parent.mkdir(parents=True, exist_ok=True)
    dice = random.Random(7)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", "text", "label"])
        for _ in range(ROWS):
            when = datetime(2024, 1, 1) + timedelta(minutes=30 * dice.randrange(366 * 48))
            label = dice.choice(("good", "bad"))
            writer.writerow([f"{when:%Y/%m/%d %H:%M}", review(when, label, dice), label])
    print(f"{ROWS:,} reviews in {target}")


if __name__ == "__main__":
    main()
