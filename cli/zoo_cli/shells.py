"""`zoo completion`: the scripts that shells read, and the answers that they ask for.

A script hands over the command line up to the cursor (ZOO_LINE) and reads lines of a kind and a text: "plain" to take as it
is, "dir" or "file" where the shell is to add paths. What click's own scripts ask (COMP_WORDS) is answered as well.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from zoo_core.words import printable

from .output import echo

BASH = r"""# Completion of zoo in bash. To have it always, add this line to ~/.bashrc:
#   eval "$(zoo completion bash)"
_zoo_completion() {
    local IFS=$'\n' kind text typed="${COMP_WORDS[COMP_CWORD]}"
    [[ $typed == [=:] ]] && typed=
    COMPREPLY=()
    while IFS=, read -r kind text; do
        if [[ $kind == plain ]]; then
            [[ $text == *[=.] ]] && compopt -o nospace 2> /dev/null
            COMPREPLY+=("$text")
        elif [[ $kind == dir || $kind == file ]] && (( ${#COMPREPLY[@]} )); then
            compopt -o filenames 2> /dev/null
            COMPREPLY+=($(compgen -A "${kind/dir/directory}" -- "$typed"))
        fi
    done < <(ZOO_LINE="${COMP_LINE:0:COMP_POINT}" ZOO_BREAKS="$COMP_WORDBREAKS" \
        _ZOO_COMPLETE=bash_complete "$1" 2> /dev/null)
}
complete -o nosort -o bashdefault -o default -F _zoo_completion zoo 2> /dev/null ||
    complete -o bashdefault -o default -F _zoo_completion zoo
"""

ZSH = r"""#compdef zoo
# Completion of zoo in zsh. To have it always, add this line to ~/.zshrc, below compinit:
#   eval "$(zoo completion zsh)"
_zoo_completion() {
    local -a lines plain open
    local kind text help paths
    lines=("${(@f)$(_ZOO_COMPLETE=zsh_complete ZOO_LINE="${(j: :)words[1,CURRENT]}" ${~${(Q)words[1]}} 2> /dev/null)}")
    for kind text help in "${(@)lines}"; do
        case $kind in
            plain) [[ $text == *[=.] ]] && open+=("$text${help:+:$help}") || plain+=("$text${help:+:$help}") ;;
            dir) paths=-/ ;;
            file) paths= ;;
        esac
    done
    (( $#plain )) && _describe -V zoo plain
    (( $#open )) && _describe -V zoo open -S ''
    if (( ${+paths} )) || (( ! $#plain && ! $#open )); then _files $paths; fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _zoo_completion "$@"
else
    compdef _zoo_completion zoo
fi
"""

FISH = r"""# Completion of zoo in fish. To have it always:
#   zoo completion fish > ~/.config/fish/completions/zoo.fish
function _zoo_completion
    set -l words (commandline -opc)
    set -l found (env _ZOO_COMPLETE=fish_complete ZOO_LINE=(commandline -cp | string collect) $words[1] 2> /dev/null)
    if test -z "$found"
        __fish_complete_path (commandline -ct)
    end
    for line in $found
        set -l part (string split -m 1 , -- $line)
        switch $part[1]
            case plain
                echo $part[2]
            case dir
                __fish_complete_directories (commandline -ct)
            case file
                __fish_complete_path (commandline -ct)
        end
    end
end
complete --no-files --keep-order --command zoo --arguments "(_zoo_completion)"
"""

_END = "\x01"  # stands behind the cursor while the line is split, so that the word before it is known

INSTALL = {
    "bash": """echo 'eval "$(zoo completion bash)"' >> ~/.bashrc""",
    "zsh": """echo 'eval "$(zoo completion zsh)"' >> ~/.zshrc""",
    "fish": "zoo completion fish > ~/.config/fish/completions/zoo.fish",
}
"""Shell → the command that installs completion."""


class _Answers:
    """How a line of a shell becomes words, and what is amiss becomes no answer."""

    ctx_args: MutableMapping[str, Any]

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the whole words behind `zoo`, and the one that is being typed."""
        if "ZOO_LINE" not in os.environ:  # asked by a script of click's
            return super().get_completion_args()  # type: ignore[misc, no-any-return]
        *words, last = split_arg_string(os.environ["ZOO_LINE"] + _END)
        return words[1:], last.removesuffix(_END)

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Return what can stand there, as the shell replaces it: all of the word, or in bash what follows its last break."""
        try:
            self.ctx_args["obj"] = [*args, incomplete or "…"]
            found: list[CompletionItem] = super().get_completions(list(args), incomplete)  # type: ignore[misc]
        except Exception:  # a broken plugin, a folder that cannot be read: the shell is told nothing
            return []
        flag, sign, _ = incomplete.partition("=")
        before = f"{flag}=" if sign and flag.startswith("-") and "ZOO_LINE" in os.environ else ""
        for item in found:
            if item.type == "plain":
                item.value = self.cut(f"{before}{item.value}", incomplete)
        return found

    def cut(self, text: str, incomplete: str) -> str:
        """Return the part of a completion that the shell puts in."""
        return text


class _Bash(_Answers, BashComplete):
    source_template = BASH

    def cut(self, text: str, incomplete: str) -> str:
        breaks = "".join(sign for sign in "=:" if sign in os.environ.get("ZOO_BREAKS", ""))
        return text[len(re.sub(f"[^{breaks}]*$", "", incomplete)) :] if breaks else text


class _Zsh(_Answers, ZshComplete):
    source_template = ZSH

    def format_completion(self, item: CompletionItem) -> str:
        """Return three lines; colons in the word are escaped, as zsh has words before them about it."""
        if "ZOO_LINE" not in os.environ:
            return super().format_completion(item)
        return f"{item.type}\n{str(item.value).replace(':', chr(92) + ':')}\n{printable(item.help or '')}"


class _Fish(_Answers, FishComplete):
    source_template = FISH

    def format_completion(self, item: CompletionItem) -> str:
        """Return a line: kind, word, and behind a tab words about it."""
        about = f"\t{printable(item.help)}" if item.help else ""
        return f"{item.type},{item.value}{about}"


_CLASSES: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def register() -> None:
    """Have click answer shells by the classes above."""
    for name, answers in _CLASSES.items():
        add_completion_class(answers, name)


@click.command(no_args_is_help=True)
@click.argument("shell", metavar="SHELL", type=click.Choice(tuple(_CLASSES)))
def completion(shell: str) -> None:
    """Print the script that completes zoo in SHELL: bash, zsh or fish.

    Commands, options, recipes, datasets, models, runs, packs, and the keys and values of --set. To have it always:

    \b
      echo 'eval "$(zoo completion bash)"' >> ~/.bashrc
      echo 'eval "$(zoo completion zsh)"' >> ~/.zshrc
      zoo completion fish > ~/.config/fish/completions/zoo.fish

    \b
    Examples:
      eval "$(zoo completion bash)"
    """
    echo(_CLASSES[shell].source_template, nl=False, lines=True)
    if sys.stdout.isatty():
        echo(f"this is the script; to have it always: {INSTALL[shell]}", err=True)
