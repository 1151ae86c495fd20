# False until main.py asks: a custom node that imports comfy.cli_args elsewhere gets the defaults.
args_parsing = False


def enable_args_parsing(enable=True):
    global args_parsing
    args_parsing = enable
