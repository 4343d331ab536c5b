"""The tables of tensors in compiler/model/README.md, against the parameters that sanc asks for.

Every relation, position, mapping and way of tying becomes a model of two stages. The names and
shapes that the page gives it have to be those in its graph.
"""
import itertools
import json
import os
import re
import tempfile

import common

NORM = ("weight", "bias", "running_mean", "running_var")
TYPES = ("pairwise", "patchwise")
POSITION_CHANNELS = {"none": 0, "relative": 2, "absolute": 4}


def rows(page, head):
    """The rows of the table that begins with the line `head`."""
    table = page.split(head + "\n", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in table.splitlines()[1:]]


def number(text, names):
    """The value of a formula on the page."""
    text = text.replace("²", "**2").replace("⁴", "**4").replace("·",
                                                                "*").replace("input.", "input_")
    return eval(text, {"__builtins__": {}}, names)


class Page:
    def __init__(self, text):
        self.layers = rows(text, "| layer | kind | channels | where |")
        self.residual = rows(text, "| residual layer | kind | channels | where |")
        self.widths = {row[0].strip("`"): dict(zip(TYPES, row[1:]))
                       for row in rows(text, "| relation | width, pairwise | width, patchwise |")}

    def relations(self):
        return [(kind, relation) for relation, width in self.widths.items()
                for kind in TYPES if width[kind]]

    def width(self, settings, at):
        """Of the mapping, before its linear `at`."""
        a, k = settings, settings["footprint"]
        weights, pairwise = a["value_channels"] // a["share"], a["type"] == "pairwise"
        if at == 0:
            formula = self.widths[a["relation"]][a["type"]]
            return number(formula, {**a, "k": k}) + POSITION_CHANNELS[a["position"]]
        if at == a["mapping"]:
            return weights if pairwise else weights * k * k
        return a["relation_channels"] if pairwise else weights

    def has(self, where, settings, m):
        if not where or where == "`mapping` is above m":
            return not where or settings["mapping"] > m
        field, no, value = re.fullmatch(r"`(\w+)` is( not)? `(.*)`", where).groups()
        return (settings[field] == json.loads(value)) != bool(no)

    def layer(self, row, names, settings):
        """{tensor: shape} of one layer; names are those of formulas, and i, b, m."""
        name, kind, channels, where = row
        if not self.has(where, settings, names["m"]):
            return {}
        stem = re.sub(r"\{(.*?)\}", lambda at: str(number(at[1].replace("3m", "3·m"), names)),
                      name.strip("`"))
        widths = {**settings, **names, "width": lambda at: self.width(settings, at)}
        sizes = [number(part, widths) for part in channels.split("→")]
        if kind == "batch norm":
            return {f"{stem}.{part}": sizes for part in NORM}
        bias = "with" not in kind and "bias" in kind or "last" in kind and names[
            "m"] == settings["mapping"] - 1
        shape = sizes[::-1] + ([] if "vector" in kind else [1, 1])
        return {f"{stem}.weight": shape, **({f"{stem}.bias": sizes[1:]} if bias else {})}

    def tensors(self, model):
        """{tensor: shape} of a model that leaves nothing to defaults."""
        found, before = {}, model["stem_channels"]
        names = {"input_channels": model["input"]["channels"], "classes": model["classes"],
                 "stem_channels": before, "i": 0, "b": 0, "m": 0}
        for i, stage in enumerate(model["stages"]):
            settings = {**model["attention"], **stage["attention"]}
            names.update(i=i, channels=stage["channels"], channels_before=before)
            before = stage["channels"]
            for row in self.layers:
                blocks = range(stage["blocks"] if "{b}" in row[0] else 1)
                linears = range(3 if "{3m" in row[0] else 1)
                for b, m in itertools.product(blocks, linears):
                    found.update(self.layer(row, {**names, "b": b, "m": m}, settings))
        return found


    def residual_tensors(self, model):
        """{tensor: shape} of a residual network that leaves nothing to defaults."""
        found, before = {}, model["stem_channels"]
        names = {"input_channels": model["input"]["channels"], "classes": model["classes"],
                 "stem_channels": before}
        for i, stage in enumerate(model["stages"]):
            for b in range(stage["blocks"]):
                names.update(i=i, b=b, channels=stage["channels"], channels_before=before)
                where = {"", stage["block"]} | (
                    {"another shape"} if before != stage["channels"] or i > 0 == b else set())
                before = stage["channels"]
                for name, kind, channels, when in self.residual:
                    if when not in where:
                        continue
                    stem = re.sub(r"\{(.*?)\}", lambda at: str(number(at[1], names)),
                                  name.strip("`"))
                    sizes = [number(part.replace("/", "//"), names)
                             for part in channels.split("→")]
                    if kind == "batch norm":
                        found.update({f"{stem}.{part}": sizes for part in NORM})
                        continue
                    vector = kind == "linear of a vector, bias"
                    found[f"{stem}.weight"] = sizes[::-1] + ([] if vector else [int(kind[0])] * 2)
                    if vector:
                        found[f"{stem}.bias"] = sizes[1:]
        return found


def residual_models():
    for blocks in itertools.product(("basic", "bottleneck"), repeat=2):
        for channels in ((8, 12), (12, 8), (8, 8)):
            yield {"format": "san", "version": 1, "name": "net", "family": "resnet", "classes": 7,
                   "stem_channels": 8, "input": {"channels": 2, "height": 16, "width": 20},
                   "stages": [{"blocks": 2, "channels": c, "block": b}
                              for b, c in zip(blocks, channels)]}


def models(page):
    """One of each kind, with nothing left to defaults."""
    yield from residual_models()
    for (kind, relation), position, mapping, transforms in itertools.product(
            page.relations(), POSITION_CHANNELS, range(4), ("distinct", "phi=psi", "phi=psi=beta")):
        if kind == "patchwise" and (position != "none" or mapping == 0):
            continue
        attention = {"type": kind, "relation": relation, "position": position, "mapping": mapping,
                     "transforms": transforms, "footprint": 3, "share": 4, "value_channels": 12,
                     "relation_channels": 12 if transforms == "phi=psi=beta" else 5}
        if mapping == 0:  # the weights are the relation
            attention["share"] = 1
            attention["value_channels"] = page.width({**attention, "mapping": 1}, 0)
            if transforms == "phi=psi=beta":
                continue
        footprint = {} if mapping == 0 else {"footprint": 5}
        yield {"format": "san", "version": 1, "name": "net", "classes": 7, "stem_channels": 6,
               "input": {"channels": 2, "height": 16, "width": 20}, "attention": attention,
               "stages": [{"blocks": 2, "channels": 9, "attention": {}},
                          {"blocks": 1, "channels": 11, "attention": footprint}]}


def check(sanc, first_pass, text):
    """Prints models whose tensors differ from the page's; returns whether there are none."""
    page, count, wrong = Page(text), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.json")
        for model in models(page):
            with open(path, "w", encoding="utf-8") as file:
                json.dump(model, file)
            graph = common.call(sanc, "ir", path, "--before", first_pass)
            found = {name: json.loads(f"[{shape}]") for name, shape in re.findall(
                r'parameter \{ name = "([^"]*)", shape = \[([^]]*)\]', graph)}
            residual = "family" in model
            page_has = page.residual_tensors(model) if residual else page.tensors(model)
            count += 1
            if found != page_has:
                wrong += 1
                differ = sorted(set(found) ^ set(page_has)) or [(name, found[name], page_has[name])
                                                                for name in found
                                                                if found[name] != page_has[name]]
                print(f"FAILED: the tables of tensors, for {json.dumps(model)}: {differ}")
    print(f"{count} models have the tensors of the page's tables, {wrong} do not")
    return count > 100 and not wrong
