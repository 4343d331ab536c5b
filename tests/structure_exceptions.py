"""What structure.py finds and lets pass, and why."""

# Files that call each other in a circle.
CIRCLES = {
    "ir/text/parse.c ir/text/parse_expr.c ir/text/parse_loops.c":
        "one walk over a text: kernels hold loops, loops hold expressions and buffers",
}

# Messages of structure.py.
PATTERNS = {
    "backend/* in a circle:*": "one walk over loops (statements hold accesses, accesses hold "
    "expressions), and object.c, which writes objects and texts to embed",
    "backend/object.c:*: an array in static memory of a function": "names of LLVM's",
    "ir/verify/* in a circle:*": "one walk over loops, with what it says of a mistake",
    "runtime/cuda_open.c runtime/cuda_target.c call *": "a device is begun to read what it can do",
    # Tables.
    "tests/unit/test_json.c:*: test_invalid has *": "a table of texts",
    "tests/gpu/mock/driver.c: * lines*": "an entry point of the driver after the other",
    "tests/driver/run.py: * lines*": "a test after the other",
    "tests/driver/schedules.py: * lines*": "tables",
    # Lines that are one text.
    "*.md:*columns*": "a link or a command",
    "*.py:*columns*": "a string, or how a script is called",
    "*.c:*columns*": "what a macro makes of a text",
    "*.def:*columns*": "a row of a table",
    "*.sh:*columns*": "a message",
    "*CMakeLists.txt:*columns*": "a path, or a text to write",
    ".ci/run:*columns*": "a message",
}
