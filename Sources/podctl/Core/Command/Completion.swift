internal import ArgumentParser

/// Completion beyond what ArgumentParser generates.
enum Completion {
  /// readline ends a word at `@` (COMP_WORDBREAKS), so that `alice@exa` would complete `exa`. The words
  /// are joined for the generated function, and the part that readline already has is cut off its results.
  static var bash: String {
    Podctl.completionScript(for: .bash) + """

      __podctl_whole_names() {
          local -a words=()
          local -i index cword=0
          local rest="${COMP_LINE}" word gap
          for index in "${!COMP_WORDS[@]}"; do
              word="${COMP_WORDS[${index}]}"
              gap="${rest%%[![:space:]]*}"
              rest="${rest#"${gap}"}"
              if [[ "${#words[@]}" -gt 0 && -z "${gap}" && ("${word}" = @* || "${words[-1]}" = *@) ]]; then
                  words[-1]+="${word}"
              else
                  words+=("${word}")
              fi
              rest="${rest#"${word}"}"
              [[ "${index}" -eq "${COMP_CWORD}" ]] && cword="$((${#words[@]} - 1))"
          done
          local -a COMP_WORDS=("${words[@]}")
          local -i COMP_CWORD="${cword}"
          local name="${words[${cword}]}"
          _podctl "${1}" "${name}" "${words[${cword} - 1]}"
          # The second argument is what readline will replace: from the "@" on, if there is one.
          local have="${name%"${2}"}"
          COMPREPLY=("${COMPREPLY[@]#"${have}"}")
          # Else the "@" of a name would be escaped, as in a file's name.
          [[ "${COMPREPLY[*]}" != *@* ]] || compopt +o filenames 2>/dev/null || true
      }

      complete -o filenames -F __podctl_whole_names podctl

      """
  }
}
