#!/bin/sh
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")" && exec autoreconf --install --force --warnings=all
