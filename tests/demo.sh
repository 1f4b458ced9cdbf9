#!/bin/sh
# Usage: sh tests/demo.sh DIR; the sample show is in DIR/shows, exrindex is on PATH.
set -eu

[ $# -eq 1 ] || { echo "usage: sh tests/demo.sh DIR" >&2; exit 2; }
cd "$1"
store=catalog.duckdb
beauty=shows/projx/sq010/sh0010/render/lighting/v002/sh0010_beauty_v002
stereo=shows/projx/sq010/sh0020/comp/v001/sh0020_stereo_v001.1001.exr

if [ -t 1 ]; then bold='\033[1m' cyan='\033[36m' plain='\033[0m'; else bold='' cyan='' plain=''; fi

say() { printf "\n${bold}# %s${plain}\n" "$*"; }

# Show a command, run it, and stop unless it ends with the exit code given first.
run() {
    wanted=$1
    shift
    shown=exrindex
    for word in --store "$store" "$@"; do
        case $word in
            *[!A-Za-z0-9_./=-]*) shown="$shown \"$word\"" ;;
            *) shown="$shown $word" ;;
        esac
    done
    printf "${cyan}\$ %s${plain}\n" "$shown"
    code=0
    exrindex --store "$store" "$@" || code=$?
    [ "$code" -eq "$wanted" ] || { echo "demo: exit code $code instead of $wanted" >&2; exit 1; }
}

rm -f "$store"

say "Index a small show. Some frames are broken on purpose, so the exit code is 1."
run 1 scan shows

say "Again: what has not changed is not opened."
run 1 scan shows

say "What is in the catalog?"
run 0 status

say "Which frames have to be rendered again?"
run 0 query failures

say "What is in a header? (a stereo comp)"
run 0 inspect "$stereo"

say "Which renders are set up like this one, and in what do the others differ?"
run 0 query similar -k 4 --explain "$beauty.1001.exr"

say "Which frame lacks a layer that its neighbours have?"
run 0 query similar --frames -k 12 --by channels --where "sequence_path LIKE '%beauty_v002.####.exr'" "$beauty.1001.exr"

say "Anything else is SQL: layers by renderer."
run 0 query sql "SELECT renderer, count(DISTINCT layer_name) AS layers, count(DISTINCT file_id) AS files FROM files JOIN channels USING (file_id) GROUP BY renderer ORDER BY layers DESC LIMIT 5"

printf "\n${bold}%s${plain}\n" "The catalog is $PWD/$store. Now your own files: exrindex scan PATH"
