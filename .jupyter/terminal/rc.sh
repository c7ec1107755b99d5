# bash and sh read this when a terminal of `make lab` starts: the person's own file, then one line.
if [ -f "$OWN_RC" ]; then . "$OWN_RC"; fi
PATH="$LAB_BIN:$PATH"
