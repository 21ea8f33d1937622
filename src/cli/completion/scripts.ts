/** Completion scripts, with which shells request completions from sluice. */

/** Answer format: a word, a tab, its description. These lines ask the shell to complete files or folders itself. */
export const PLACE_LINES = { files: ':files', folders: ':folders' } as const

/** Works with bash 3.2 (macOS). bash splits words at = and :, and inserts the answer after the last split. */
const BASH = `# sluice completion bash: put  source <(sluice completion bash)  into ~/.bashrc
_sluice() {
  local rest="\${COMP_LINE:0:COMP_POINT}" words=() last=-1 at piece word meaning cut current
  for ((at = 0; at <= COMP_CWORD; at++)); do
    piece="\${COMP_WORDS[at]}"
    if ((last < 0)) || [[ "$rest" == [[:space:]]* ]]; then
      rest="\${rest#"\${rest%%[![:space:]]*}"}"
      last=$((last + 1))
      words[last]=""
    fi
    if ((at == COMP_CWORD)); then piece="$rest"; fi
    words[last]+="$piece"
    rest="\${rest#"$piece"}"
  done
  current="\${words[last]}"
  cut="\${current%"\${current##*[=:]}"}"
  COMPREPLY=()
  while IFS=$'\\t' read -r word meaning; do
    case "$word" in
      :files) compopt -o filenames 2>/dev/null; while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "\${current#"$cut"}") ;;
      :folders) compopt -o filenames 2>/dev/null; while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "\${current#"$cut"}") ;;
      *) COMPREPLY+=("\${word#"$cut"}") ;;
    esac
  done < <("\${words[0]}" completion raw -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _sluice sluice
`

const ZSH = `#compdef sluice
# sluice completion zsh: put it into a folder of $fpath as _sluice, or  source <(sluice completion zsh)  into ~/.zshrc
_sluice() {
  local line places
  local -a found
  while IFS= read -r line; do
    case "$line" in
      :files|:folders) places="$line" ;;
      *) found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done < <("\${words[1]}" completion -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  (( \${#found} )) && _describe -V 'sluice' found
  [[ "$places" == :files ]] && _files
  [[ "$places" == :folders ]] && _files -/
  return 0
}
if [[ "\${funcstack[1]}" == _sluice ]]; then _sluice "$@"
elif (( ! \${+functions[compdef]} )); then print -ru2 'sluice completion zsh: put  autoload -Uz compinit; compinit  above this line'
else compdef _sluice sluice; fi
`

const FISH = `# sluice completion fish: put  sluice completion fish | source  into ~/.config/fish/config.fish
function __sluice_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l current $words[-1]
    for line in ($words[1] completion -- $words[2..-1] 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path $current
            case :folders
                __fish_complete_directories $current
            case '*'
                echo $line
        end
    end
end
complete -c sluice -f -a '(__sluice_complete)'
`

export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const

export type Shell = keyof typeof SCRIPTS
