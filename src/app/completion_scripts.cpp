#include "app/completion_scripts.hpp"

namespace mlpipe::app {

const std::string_view k_asking_script = R"sh(
__mlpipe_runs() {
  mlpipe runs --limit 50 --json "$@" 2>/dev/null | sed -n 's/^ *"run": "\([^"]*\)",\{0,1\}$/\1/p'
}

__mlpipe_tasks() {
  local run=${1:-latest}
  shift
  mlpipe show "$run" --json "$@" 2>/dev/null | sed -n 's/^ *"task": "\([^"]*\)",\{0,1\}$/\1/p'
}

__mlpipe_pipeline_tasks() {
  mlpipe graph "$1" --format dot 2>/dev/null | sed -n 's/^ *"\([^"]*\)" \[.*$/\1/p'
}
)sh";

const std::string_view k_bash_script = R"bash(
_mlpipe() {
  local current=${COMP_WORDS[COMP_CWORD]} command='' expects='' first='' operands=0 offer word i IFS=$' \t\n'
  local root=()
  COMPREPLY=()
  # What stands before the cursor. Bash makes three words of --root=DIR and NAME=VALUE.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ -n $expects ]]; then
      [[ $word == '=' ]] && continue
      [[ $expects == --root ]] && root=(--root "$word")
      expects=''
    elif [[ $word == '=' ]]; then
      i=$((i + 1))
    elif [[ $word == -* ]]; then
      [[ -n $(__mlpipe_value "$command $word") ]] && expects=$word
    elif [[ $operands == 0 && " $(__mlpipe_nested "$command") " == *" $word "* ]]; then
      command=${command:+$command }$word
    else
      operands=$((operands + 1))
      [[ -z $first ]] && first=$word
    fi
  done
  if [[ $current == '=' ]]; then
    current=''
    [[ -n $expects ]] || return
  fi
  [[ -z $expects && ${COMP_WORDS[COMP_CWORD - 1]} == '=' ]] && return

  if [[ -n $expects ]]; then
    offer=$(__mlpipe_value "$command $expects")
  elif [[ $current == -* ]]; then
    offer="words $(__mlpipe_options "$command")"
  else
    offer=$(__mlpipe_nested "$command")
    if [[ -n $offer ]]; then offer="words $offer"; else offer=$(__mlpipe_value "$command $((operands + 1))"); fi
  fi
  case $offer in
    words\ *) COMPREPLY=($(compgen -W "${offer#words }" -- "$current")) ;;
    runs) COMPREPLY=($(compgen -W "latest $(__mlpipe_runs "${root[@]}")" -- "$current")) ;;
    tasks) COMPREPLY=($(compgen -W "$(__mlpipe_tasks "$first" "${root[@]}")" -- "$current")) ;;
    pipeline_tasks) COMPREPLY=($(compgen -W "$(__mlpipe_pipeline_tasks "$first")" -- "$current")) ;;
    files | folders)
      IFS=$'\n'
      if [[ $offer == files ]]; then COMPREPLY=($(compgen -f -- "$current")); else COMPREPLY=($(compgen -d -- "$current")); fi
      compopt -o filenames 2>/dev/null
      ;;
  esac
}

complete -F _mlpipe mlpipe
)bash";

const std::string_view k_zsh_script = R"zsh(
_mlpipe() {
  local command='' expects='' first='' word offer current=${words[CURRENT]}
  local -i i operands=0
  local -a root reply
  for ((i = 2; i < CURRENT; i++)); do
    word=${(Q)words[i]}
    if [[ -n $expects ]]; then
      [[ $expects == --root ]] && root=(--root "$word")
      expects=''
    elif [[ $word == --root=* ]]; then
      root=("$word")
    elif [[ $word == -* ]]; then
      [[ -n $(__mlpipe_value "$command $word") ]] && expects=$word
    elif [[ $operands == 0 && " $(__mlpipe_nested "$command") " == *" $word "* ]]; then
      command=${command:+$command }$word
    else
      operands=$((operands + 1))
      [[ -z $first ]] && first=$word
    fi
  done

  if [[ -z $expects && $current == --*=* ]]; then
    expects=${current%%=*}
    compset -P '*='
  fi
  if [[ -n $expects ]]; then
    offer=$(__mlpipe_value "$command $expects")
  elif [[ $current == -* ]]; then
    __mlpipe_options "$command"
    _describe -o option reply
    return
  elif [[ -n $(__mlpipe_nested "$command") ]]; then
    __mlpipe_described "$command"
    _describe command reply
    return
  else
    offer=$(__mlpipe_value "$command $((operands + 1))")
  fi
  case $offer in
    words\ *) compadd -- ${=offer#words } ;;
    runs) compadd -- latest ${(f)"$(__mlpipe_runs $root)"} ;;
    tasks) compadd -- ${(f)"$(__mlpipe_tasks "$first" $root)"} ;;
    pipeline_tasks) compadd -- ${(f)"$(__mlpipe_pipeline_tasks "$first")"} ;;
    files) _files ;;
    folders) _files -/ ;;
  esac
}

# In a folder of $fpath this file is the function itself; sourced, it makes it known.
if [[ ${funcstack[1]} == _mlpipe ]]; then _mlpipe "$@"; else compdef _mlpipe mlpipe; fi
)zsh";

const std::string_view k_fish_script = R"fish(function __mlpipe_runs
  mlpipe runs --limit 50 --json $argv 2>/dev/null | string replace -rf '^ *"run": "([^"]*)",?$' '$1'
end

# What stands before the cursor: the command, the option that waits for its value, how many operands, the first of them, --root.
function __mlpipe_walk
  set -l command ''
  set -l expects ''
  set -l operands 0
  set -l first ''
  set -l root ''
  for word in (commandline -opc)[2..-1]
    if test -n "$expects"
      test "$expects" = --root; and set root $word
      set expects ''
    else if string match -q -- '--root=*' $word
      set root (string replace -- '--root=' '' $word)
    else if string match -q -- '-*' $word
      test -n "$(__mlpipe_value "$command $word")"; and set expects $word
    else if test $operands = 0; and contains -- $word (string split ' ' -- (__mlpipe_nested "$command"))
      set command (string trim -- "$command $word")
    else
      set operands (math $operands + 1)
      test -z "$first"; and set first $word
    end
  end
  printf '%s\n' "$command" "$expects" $operands "$first" "$root"
end

function __mlpipe_in
  set -l walked (__mlpipe_walk)
  test "$walked[1]" = "$argv[1]"
end

# Is another word of a command due?
function __mlpipe_before
  set -l walked (__mlpipe_walk)
  test "$walked[1]" = "$argv[1]" -a -z "$walked[2]" -a "$walked[3]" = 0
end

function __mlpipe_offer
  set -l walked (__mlpipe_walk)
  set -l root
  test -n "$walked[5]"; and set root --root $walked[5]
  set -l run latest
  test -n "$walked[4]"; and set run $walked[4]
  set -l offer (string split ' ' -- (__mlpipe_value "$argv[1]"))
  switch "$offer[1]"
    case words
      printf '%s\n' $offer[2..-1]
    case runs
      echo latest
      __mlpipe_runs $root
    case tasks
      mlpipe show $run --json $root 2>/dev/null | string replace -rf '^ *"task": "([^"]*)",?$' '$1'
    case pipeline_tasks
      mlpipe graph $run --format dot 2>/dev/null | string replace -rf '^ *"([^"]*)" \[.*$' '$1'
    case files
      __fish_complete_path (commandline -ct)
    case folders
      __fish_complete_directories (commandline -ct)
  end
end

function __mlpipe_operand
  set -l walked (__mlpipe_walk)
  test -z "$walked[2]"; and __mlpipe_offer "$walked[1] "(math $walked[3] + 1)
end

)fish";

}  // namespace mlpipe::app
