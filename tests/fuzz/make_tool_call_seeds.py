#!/usr/bin/env python3
"""Writes the seed files of corpus/tool_calls: one answer with calls, in each of the forms of fuzz_tool_calls.cc.

They are committed; run this again only when a form changes. Development tool, never needed to build or to test.
"""
import json
import pathlib

CORPUS = pathlib.Path(__file__).parent / "corpus" / "tool_calls"
FORMS = ["plain", "tagged", "list", "wrapped", "function", "section", "lines", "pairs", "attributes"]

ARGUMENTS = {"s": "}</tool_call>\"\u00e9", "n": 5, "o": {"a": [None, True]}}
F = {"name": "f", "arguments": ARGUMENTS}
NOW = {"name": "now", "arguments": {}}


def text(value):
    return json.dumps(value, ensure_ascii=False)


def wrapped(call):
    return {"type": "function", "function": call}


def fields(before, between, behind):
    return "".join(f"{before}{key}{between}{value if isinstance(value, str) else text(value)}{behind}"
                   for key, value in ARGUMENTS.items())


FREE = {
    "plain": f" <|python_tag|>{text(F)}; {text(NOW)}",
    "tagged": f"Hm.\n<tool_call>\n{text(F)}\n</tool_call>\n<tool_call>{text(NOW)}</tool_call> ",
    "list": f"So: [TOOL_CALLS][{text(F)}, {text(NOW)}]",
    "wrapped": f"<calls>{text([wrapped(F), wrapped(NOW)])}</calls>",
    "function": f"a <function=f>{text(ARGUMENTS)}</function><function=now>{{}}</function>",
    "section": f"<calls><call>functions.f:0<args>{text(ARGUMENTS)}</call><call>functions.now:1<args>{{}}</call></calls>",
    "lines": "Hm.\n<tool_call>\n<function=f>\n" + fields("<parameter=", ">\n", "\n</parameter>\n")
             + "</function>\n</tool_call>\n<function=now>\n</function>",
    "pairs": "<tool_call>f\n" + fields("<arg_key>", "</arg_key>\n<arg_value>", "</arg_value>\n")
             + "</tool_call>\n<tool_call>now\n</tool_call>",
    "attributes": "\n<calls>\n<invoke name=\"f\">\n" + fields("<parameter name=\"", "\">", "</parameter>\n")
                  + "</invoke>\n<invoke name=\"now\">\n</invoke>\n</calls>",
}
# As the schema of a forced call has it: the value of "o" and the order of the fields are those of the function.
FORCED = {form: text(F) for form in FORMS}
FORCED |= {"list": text([F, F]), "wrapped": text([wrapped(F)]), "function": text(ARGUMENTS), "section": text(ARGUMENTS)}


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    for number, form in enumerate(FORMS):
        (CORPUS / form).write_bytes(bytes([number, 7]) + FREE[form].encode())
        (CORPUS / f"forced_{form}").write_bytes(bytes([len(FORMS) + number, 7]) + FORCED[form].encode())
    both = len(FORMS) * 2
    (CORPUS / "forced_choice").write_bytes(bytes([both + FORMS.index("tagged"), 7]) + text(NOW).encode())
    (CORPUS / "forced_choice_list").write_bytes(bytes([both + FORMS.index("list"), 7]) + text([NOW, F]).encode())


if __name__ == "__main__":
    main()
