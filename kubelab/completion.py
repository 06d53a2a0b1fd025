"""Completion for bash and zsh: tasks and options from invoke, clusters and labs from the folders that define them."""

from __future__ import annotations

import shlex

from kubelab.errors import unknown
from kubelab.paths import ROOT

# Names are read from the folders when Tab is pressed: nothing to regenerate, and no Python to wait for.
COMMON = r"""
_kubelab_stems() {
  local file
  for file in "$@"; do
    [ -e "$file" ] || continue
    file=${file%.yml}
    printf '%s\n' "${file##*/}"
  done
}
_kubelab_clusters() { _kubelab_stems ROOT/inventory/*.yml; }
_kubelab_labs() {
  local file
  for file in ROOT/labs/*/lab.yml; do
    [ -e "$file" ] && _kubelab_stems "${file%/lab.yml}"
  done
}
_kubelab_invoke() { "${1}" --search-root ROOT --complete -- "${@:2}" 2>/dev/null; }
# _kubelab_words PREVIOUS CURRENT WORD...: what may stand at CURRENT
_kubelab_words() {
  local previous=$1 current=$2
  shift 2
  if [ "$previous" = --cluster ] || [ "$previous" = -c ]; then
    _kubelab_clusters
  elif [[ $current == --cluster=* ]]; then
    _kubelab_clusters | while read -r name; do printf -- '--cluster=%s\n' "$name"; done
  elif [[ $previous =~ ^lab(\..+)?$ && $current != -* ]]; then
    _kubelab_labs
  elif [ "$previous" = completion ]; then
    printf '%s\n' bash zsh
  else
    _kubelab_invoke "$@"
  fi
}
"""

BASH = r"""
_kubelab_complete() {
  local words=("${COMP_WORDS[@]}") current previous
  current=${COMP_WORDS[COMP_CWORD]}
  previous=${COMP_WORDS[COMP_CWORD - 1]}
  # bash takes --cluster=ki apart at the equals sign
  [ "$current" = = ] && current=
  [ "$previous" = = ] && previous=${COMP_WORDS[COMP_CWORD - 2]}
  mapfile -t COMPREPLY < <(compgen -W "$(_kubelab_words "$previous" "$current" "${words[@]}")" -- "$current")
}
complete -F _kubelab_complete invoke ./invoke
"""

ZSH = r"""
_kubelab_complete() {
  local -a found
  found=("${(@f)$(_kubelab_words "${words[CURRENT-1]}" "${words[CURRENT]}" "${words[@]}")}")
  compadd -- "${found[@]}"
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u; }
compdef _kubelab_complete invoke ./invoke
"""

SHELLS = {"bash": BASH, "zsh": ZSH}


def script(shell: str) -> str:
    """Returns the lines that the shell sources. Refuses shells that we have no lines for."""
    if shell not in SHELLS:
        raise unknown("completion for", shell, list(SHELLS), "invoke completion bash")
    return (COMMON + SHELLS[shell]).replace("ROOT", shlex.quote(str(ROOT))).strip()
