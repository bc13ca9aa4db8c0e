"""Which characters are taken for which: neighbouring keys, misread letters, Chinese characters of one sound or like shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ratchet.augment.lines import read_lines
from ratchet.errors import DataError

Confusions = Mapping[str, str]
"""For each character those that it is taken for."""

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SCAN = ("0oO", "1lI|", "5S", "8B", "2Z", "6G", "9g", "ce", "uv", "hb", "nr", "ft", "ij", "CG", "DO", "EF", "PR", "VY")
_SOUNDS = """
的得地 在再 是事市式试室视世势士示释适 时十实食石识拾 他她它塔 那哪纳 做作坐座 以已一意议易义医 有又友右优
和河合何盒核 里理李力利立历丽例礼 进近金今尽紧仅 到道倒导 还环 会回汇惠 要药腰 这着者折 没美每媒妹
只之知支直指纸治至志制质 期起七其气器汽奇 生声升胜省圣 中种钟重众终 员元原园远院愿圆 公工功共供宫攻 分份粉纷 发法罚
高告搞稿 就九旧救酒久 过国果锅 看砍 好号浩 很狠恨 店点电典 服福负付复府副富父妇 务物无五误午舞 房方放防访
间件见建简剪减检 价家加假佳架 格个各哥歌 便变边编遍 宜一 环还 境竟静净镜敬 干感敢赶 早枣 餐参残 前钱千签欠浅 台抬太态
交教叫较觉脚 通同痛统童 位为未味喂卫 置致制 行形型性幸姓 情请清轻青庆 新心信辛欣 人仁认任 大达打答 小晓笑校效 多朵夺
少烧稍绍 快块筷 慢满漫 送松颂 货获活火伙或 物务 流留六刘 客刻课克可科 户护互湖虎 手首收受守售 机鸡几级极急集及
书输叔舒熟属 本奔 字自子紫 读毒独度 内耐 容荣融 屏平评瓶苹 幕目木母 声升 音因阴引印 质志 量亮两辆 速素宿诉 度渡 电店
池吃迟持 充冲虫 卡咖 银印 账张丈长帐 转专传砖 款宽 退腿 费飞非肥 用永勇 想像向象相香 觉决绝 真针珍诊 假甲 东冬懂动洞
西希息习喜洗系细戏 南难男 北背备被倍 上伤尚 下夏吓 左坐 开凯 关观官管馆惯 请晴 谢写些鞋协 再载 见现 年念 月越乐约阅
天添甜 星兴 明名命 白百拜 黑嘿 红洪 水睡税谁 山三闪 风封丰疯 花化华话画划 草操 树数术束述 鱼与雨语于余玉育预 肉柔
米迷密秘 面免棉 油游由邮 盐严言研沿烟颜眼 糖汤躺 茶查差
"""
_SHAPES = """
己已巳 未末 土士 干千于 日曰目 人入八 大太犬 天夫 木本 刀力刃 由甲申 田由 王玉主 牛午 今令 问间闻 买卖 休体 拔拨 晴睛
清请情 侯候 折拆 住往 仓仑 治冶 兔免 乌鸟 鸟岛 处外 晚挽 历厉 话活 快块 待侍 很恨狠 幕墓慕暮 辩辨辫 密蜜 竟竞 徽微
班斑 裁栽载 喝渴 板版 没设 坏环 伯柏 杨扬 饱抱炮跑 低底抵 店底 客容 各名 右石 古舌 早旱 旦且 贝见 儿几 九丸 万方 元无
广厂 户尸 心必 代伐
"""
PUNCTUATION: Confusions = {
    ",": ".",
    ".": ",",
    "!": "?.",
    "?": "!.",
    ";": ",",
    ":": ";",
    "，": "。、",
    "。": "，",
    "！": "？。",
} | {
    "？": "！。",
    "；": "，",
    "：": "；",
    "、": "，",
}


def groups(lines: Iterable[str]) -> Confusions:
    """Each character with all others of its groups, in their order.

    >>> groups(["0oO", "oc"])
    {'0': 'oO', 'o': '0Oc', 'O': '0o', 'c': 'o'}
    """
    found: dict[str, dict[str, None]] = {}
    for line in lines:
        for one in line:
            found.setdefault(one, {}).update(dict.fromkeys(other for other in line if other != one))
    return {one: "".join(others) for one, others in found.items() if others}


def read_sounds(path: Path) -> Confusions:
    """The characters of one sound of a file: those of a sound in a line, with spaces or tabs, or nothing, between them.

    Raises:
        DataError: it cannot be read, or no line has two characters.
    """
    found = groups("".join(line.split()) for line in read_lines(path, key="sounds"))
    if not found:
        raise DataError(f"sounds must name a file with two characters or more in a line but {path} has no such line.")
    return found


def _keyboard() -> Confusions:
    """The keys beside, above and below each letter of a QWERTY keyboard, whose rows are half a key apart."""
    found: dict[str, str] = {}
    for height, keys in enumerate(_KEYS):
        for place, key in enumerate(keys):
            near = [keys[place - 1 : place], keys[place + 1 : place + 2]]
            for row, at in ((height - 1, place), (height - 1, place + 1), (height + 1, place - 1), (height + 1, place)):
                if 0 <= row < len(_KEYS) and 0 <= at < len(_KEYS[row]):
                    near.append(_KEYS[row][at])
            found[key] = "".join(near)
            found[key.upper()] = found[key].upper()
    return found


SCAN_PAIRS = {"rn": "m", "cl": "d", "vv": "w", "nn": "m", "ri": "n"}
"""Two letters that are read as one."""
SCAN_SPLIT = {"m": "rn", "d": "cl", "w": "vv"}
"""A letter that is read as two."""
KEYBOARD, SOUNDS, SHAPES = _keyboard(), groups(_SOUNDS.split()), groups(_SHAPES.split())
SCAN: Confusions = {**dict.fromkeys((*SCAN_SPLIT, *(pair[0] for pair in SCAN_PAIRS)), ""), **groups(_SCAN)}
