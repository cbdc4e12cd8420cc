#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Trains two small SentencePiece models and encodes texts with them, by the programs of Debian's package sentencepiece
# (0.1.97). Writes pieces-bpe.model, pieces-unigram.model, and for each NAME.tsv: text, ids, decoded text.
#
#   make-pieces.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")"
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

grep -hv '^$' ../../../docs/architecture.md ../../../docs/training.md >"$work/corpus"
# A few rules make a small table for the normalizer: upper case of vowels, and the ligature fi.
for letter in A:a E:e I:i O:o U:u; do printf '%X\t%X\n' "'${letter%:*}" "'${letter#*:}"; done >"$work/rules.tsv"
printf 'FB01\t66 69\n' >>"$work/rules.tsv"
common=(--input="$work/corpus" --hard_vocab_limit=false --num_threads=1 --minloglevel=1)
spm_train "${common[@]}" --model_prefix="$work/bpe" --model_type=bpe --vocab_size=500 --byte_fallback --split_digits \
  --normalization_rule_name=identity --remove_extra_whitespaces=false --allow_whitespace_only_pieces \
  --user_defined_symbols='<tool>' --control_symbols='<turn>'
spm_train "${common[@]}" --model_prefix="$work/unigram" --model_type=unigram --vocab_size=160 \
  --normalization_rule_tsv="$work/rules.tsv" --bos_id=-1 --pad_id=3

cat >"$work/texts" <<'TEXTS'
Hello world
  two  spaces and trailing  
The routing of tokens, 12345 + 3.14 = ?
naïve café 你好，世界 👩‍👩‍👧
<tool>x</s> <s> <turn> <unk>
ÀÉ ﬁnd AEIOU ﬁ
▁under ▁▁ x▁y
a
TEXTS
for name in bpe unigram; do
  cp "$work/$name.model" "$out/pieces-$name.model"
  while IFS= read -r line; do
    ids=$(spm_encode --model="$work/$name.model" --output_format=id <<<"$line")
    printf '%s\t%s\t%s\n' "$line" "$ids" "$(spm_decode --model="$work/$name.model" --input_format=id <<<"$ids")"
  done <"$work/texts" >"$out/pieces-$name.tsv"
done
