# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Completion for bash: the options of a program are what its --help lists; everything else is a file.
_chimera() {
  local word=${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  if [[ $word == -* && $word != *=* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$("$1" --help 2>/dev/null | grep -oE -- '--[a-z][a-z0-9-]+' | sort -u)" -- "$word")
  fi
}
complete -o bashdefault -o default -F _chimera \
  chimera-bench chimera-compile chimera-init chimera-inspect chimera-lsp-server chimera-opt chimera-run chimera-serve \
  chimera-train chimera-train-tokenizer
