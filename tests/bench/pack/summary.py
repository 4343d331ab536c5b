"""What a run found, for people to read."""
MOST_KERNELS = 12


def number(value, places=1):
    return f"{value:.{places}f}" if isinstance(value, float) else str(value)


def line(row):
    said = ""
    if "us_an_image" in row:
        said = f": {number(row['us_an_image'])} us an image"
    if "error" in row:
        said += f", error {row['error']:.1e}"
    if "skipped" in row:
        said += f": {row['skipped']}"
    if row.get("ok") is False:
        said += ", WRONG"
    return f"{row['part']}: {row['status']}{said} ({row['seconds']} s)"


def table(rows, pack):
    text = ["", "network | batch | precision | us an image (least to most) | estimate | error | "
            "launches | code"]
    for row in rows:
        if not row["part"].startswith("time ") or "ms" not in row:
            continue
        entry = pack["networks"][row["part"].split()[1]]
        scale = 1e3 / entry["batch"]
        error = f"{row['error']:.1e}" if "error" in row else "no answer"
        text.append(f"{entry['network']} | {entry['batch']} | {entry['precision']} | "
                    f"{number(row['us_an_image'])} ({number(scale * row['least_ms'])} to "
                    f"{number(scale * row['most_ms'])}) | "
                    f"{number(row.get('estimate_us_an_image', '-'))} | {error}"
                    f"{'' if row['ok'] else ', WRONG'} | {row['launches']} | {row['code']}")
    return text


def kernel_table(row):
    text = ["", f"{row['part']}: {number(row['sum_us'])} us together"]
    for kernel in sorted(row["kernels"], key=lambda kernel: -kernel["us"])[:MOST_KERNELS]:
        estimate = kernel.get("estimate_us")
        beside = f", estimate {number(estimate)}" if estimate else ""
        text.append(f"  {kernel['name']}: {number(kernel['us'])} us{beside}; {kernel['grid']} x "
                    f"{kernel['block']}, {kernel.get('registers', '?')} registers, "
                    f"{kernel['shared_bytes']} bytes shared")
    return text


def torch_table(rows):
    text = []
    for row in rows:
        if row["part"].startswith("torch ") and "ms" in row:
            text.append(f"  {row['part']}: {number(row['us_an_image'])} us an image")
    return ["", "PyTorch", *text] if text else []


def text(rows, pack):
    out = [f"Target {pack['target']}, made by {pack['sanc']}", ""]
    out += [line(row) for row in rows]
    out += table(rows, pack)
    for row in rows:
        if row["part"] == "limits" or row["part"] == "device":
            out += ["", row["part"]] + [f"  {name}: {number(value)}" for name, value in row.items()
                                        if name not in ("part", "status", "seconds")]
    for row in rows:
        if "kernels" in row:
            out += kernel_table(row)
        if "said" in row:
            out += ["", f"{row['part']} said:", row["said"]]
    return "\n".join(out + torch_table(rows)) + "\n"
