#!/bin/sh
# Fails when a module includes one that is not to its left in
#   base <- sys <- spec <- plan <- engine <- {metadata, artifact, report} <- runner <- app <- main.cpp
# (docs/design.md, "Layers"), or when a header under include/ includes a private one.
set -eu
cd "$1"
allowed() {
  case "$1" in
    base) echo base ;;
    sys) echo base sys ;;
    spec) echo base sys spec ;;
    plan) echo base sys spec plan ;;
    engine) echo base sys spec plan engine ;;
    metadata) echo base sys spec plan engine metadata ;;
    artifact) echo base sys spec plan engine artifact ;;
    report) echo base sys spec plan engine report ;;
    runner) echo base sys spec plan engine metadata artifact report runner ;;
    app) echo base sys spec plan engine metadata artifact report runner app ;;
    *) echo "" ;;
  esac
}
bad=0
for folder in include/mlpipe/* src/*/; do
  [ -d "$folder" ] || continue
  module=$(basename "$folder")
  may=$(allowed "$module")
  [ -n "$may" ] || { echo "$folder: a module the layering does not know"; bad=1; continue; }
  for found in $(grep -rhoE '^#include "[^"]+"' "$folder" | sed -E 's/^#include "//; s/"$//' | sort -u); do
    case "$found" in
      mlpipe/*) other=${found#mlpipe/}; other=${other%%/*} ;;
      */*) other=${found%%/*} ;;
      *) continue ;;
    esac
    case " $may " in
      *" $other "*) ;;
      *) echo "$module includes \"$found\": $other is not to its left"; grep -rlF "\"$found\"" "$folder"; bad=1 ;;
    esac
    case "$found" in
      mlpipe/*) ;;
      *) [ "$other" = "$module" ] || { echo "$module includes the private header \"$found\""; bad=1; } ;;
    esac
  done
done
exit $bad
