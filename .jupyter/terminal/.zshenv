# zsh reads this first when a terminal of `make lab` starts. The person's own files follow as ever;
# before the first prompt the environment goes first on the path.
if [[ -n $OWN_ZDOTDIR ]]; then ZDOTDIR=$OWN_ZDOTDIR; else unset ZDOTDIR; fi
unset OWN_ZDOTDIR
if [[ -f ${ZDOTDIR:-$HOME}/.zshenv ]]; then source ${ZDOTDIR:-$HOME}/.zshenv; fi
lab_path() {
  path=($LAB_BIN $path)
  precmd_functions=(${precmd_functions:#lab_path})
  unfunction lab_path
}
precmd_functions+=(lab_path)
