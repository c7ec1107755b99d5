# zsh reads this first when a terminal of `make lab` starts. The person's own files follow as ever;
# before the first prompt the environment goes first on the path. A hook of the person's may set the
# path anew before each prompt; another environment may come first.
if [[ -n $OWN_ZDOTDIR ]]; then ZDOTDIR=$OWN_ZDOTDIR; else unset ZDOTDIR; fi
unset OWN_ZDOTDIR
if [[ -f ${ZDOTDIR:-$HOME}/.zshenv ]]; then source ${ZDOTDIR:-$HOME}/.zshenv; fi
lab_path() {
  if [[ -z $LAB_SEEN || ${path[(Ie)$LAB_BIN]} -eq 0 ]]; then path=($LAB_BIN $path); fi
  LAB_SEEN=1
}
precmd_functions+=(lab_path)
