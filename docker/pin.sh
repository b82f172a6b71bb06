#!/bin/sh
# Prints the images with the digests that their tags have now: sh docker/pin.sh >> .env
set -eu
# A template that begins with .Manifest is answered with a table, hence `print`.
pin() {
  digest=$(docker buildx imagetools inspect "$2" --format '{{print .Manifest.Digest}}')
  printf '%s=%s@%s\n' "$1" "$2" "$digest"
}
pin TIMESCALEDB_IMAGE timescale/timescaledb:2.29.2-pg17
pin PYTHON_IMAGE python:3.13-slim
pin PROMETHEUS_IMAGE prom/prometheus:v3.5.0
pin GRAFANA_IMAGE grafana/grafana:12.1.1
