# bash and sh read this when a terminal of `make lab` starts: the person's own file, then the path.
if [ -f "$OWN_RC" ]; then . "$OWN_RC"; fi
PATH="$LAB_BIN:$PATH"
# A hook of the person's may set the path anew before each prompt; another environment may come first.
lab_path() { case ":$PATH:" in *":$LAB_BIN:"*) ;; *) PATH="$LAB_BIN:$PATH" ;; esac; }
PROMPT_COMMAND="${PROMPT_COMMAND:+$PROMPT_COMMAND;}lab_path"
