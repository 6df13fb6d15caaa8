#!/usr/bin/env bash
# Makes the demonstration recordings and sentences.json, which says what is spoken in them and when.
#
#   apt-get install flite espeak-ng sox     (made with flite 2.2, espeak-ng 1.51, sox 14.4.2 of Debian 12)
#   models/embedded/demo/make.sh
#
# No recorded person: all voices are synthetic. flite's kal16, awb and slt are free (Carnegie Mellon's licence, BSD-like);
# espeak-ng is GPL-3, which does not reach what it says. Noise is made by sox. The recordings are under the
# project's licence. sox gets -R, so that its noise is the same each time, and -D, so that it does not dither.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
sound() { sox -R -D -V1 "$@"; }
# 16 kHz, mono, 16 bits
form=(-r 16000 -c 1 -b 16)

# say VOICE TEXT OUT: speech without silence around it, at an even loudness (peak at -8 dBFS)
say() {
  case $1 in
    flite\ *) flite -voice "${1#flite }" -t "$2" -o "$work/raw.wav" ;;
    espeak-ng\ *) espeak-ng -v "${1#espeak-ng }" -s 150 -w "$work/raw.wav" "$2" ;;
  esac
  local trim=(silence 1 0.01 0.5% reverse)
  sound "$work/raw.wav" "${form[@]}" "$3" "${trim[@]}" "${trim[@]}" gain -n -8
}

samples() { soxi -s "$1"; }
ms() { echo $(($1 / 16)); }

# recording FILE, then lines of: pause before in seconds | voice | text; the last line is the pause at the end.
# Beside FILE there is $work/speech.wav without noise; sentences go to $work/json.
recording() {
  local file=$1 at=0 first=1 pause voice text number=0 parts=()
  printf '%s    {\n      "file": "%s",\n      "sentences": [\n' "${comma:-}" "$file" >>"$work/json"
  comma=$',\n'
  while IFS='|' read -r pause voice text; do
    number=$((number + 1))
    sound -n "${form[@]}" "$work/pause$number.wav" trim 0 "$pause"
    parts+=("$work/pause$number.wav")
    at=$((at + $(samples "$work/pause$number.wav")))
    [ -n "$voice" ] || continue
    say "$voice" "$text" "$work/sentence$number.wav"
    parts+=("$work/sentence$number.wav")
    local end=$((at + $(samples "$work/sentence$number.wav")))
    [ "$first" = 1 ] || printf ',\n' >>"$work/json"
    first=0
    printf '        {\n          "text": "%s",\n          "startMs": %d,\n          "endMs": %d,\n          "voice": "%s"\n        }' \
      "$text" "$(ms "$at")" "$(ms "$end")" "$voice" >>"$work/json"
    at=$end
  done
  printf '\n      ]\n    }' >>"$work/json"
  sound "${parts[@]}" "$work/speech.wav"
}

# A room: a fan's breath (pink noise, about -52 dBFS) over a refrigerator's hum.
room() {
  sound -n "${form[@]}" "$work/fan.wav" synth "$1" pinknoise highpass 60 lowpass 3000 gain -n -39
  sound -n "${form[@]}" "$work/hum.wav" synth "$1" sine 50 synth "$1" sine mix 100 synth "$1" sine mix 150 gain -n -46
  sound -m -v 1 "$work/fan.wav" -v 1 "$work/hum.wav" "$work/room.wav"
}

# clink SECONDS OUT: a spoon against a cup
clink() {
  sound -n "${form[@]}" "$2" \
    synth 0.18 sine 2960 synth 0.18 sine mix 4710 synth 0.18 sine mix 6830 fade l 0.001 0.18 0.17 gain -n -30 pad "$1" 0
}

echo '{' >"$work/json"
echo '  "recordings": [' >>"$work/json"

recording household.wav <<'END'
1.2|flite slt|turn on the kitchen lights
1.4|espeak-ng en-us|set a timer for ten minutes
1.1|flite awb|play some music in the living room
1.7|espeak-ng en-gb|what is the weather today
1.3|flite slt|close the bedroom blinds
1.9|flite awb|set the thermostat to twenty degrees
1.2|espeak-ng en-us+f3|turn off the living room lights
1.5||
END
room "$(soxi -D "$work/speech.wav")"
clink 3.2 "$work/clink1.wav"
clink 3.6 "$work/clink2.wav"
clink 16.4 "$work/clink3.wav"
sound -m -v 1 "$work/speech.wav" -v 1 "$work/room.wav" -v 1 "$work/clink1.wav" -v 1 "$work/clink2.wav" \
  -v 1 "$work/clink3.wav" "${form[@]}" household.wav

single() {
  recording "$1" <<END
0.5|$2|$3
0.8||
END
  sound "$work/speech.wav" "${form[@]}" "$1"
}
single lights.wav 'flite awb' 'dim the bedroom lights'
single volume.wav 'flite slt' 'turn up the volume'
single coffee.wav 'espeak-ng en-gb' 'make me a large cappuccino'

printf '\n  ]\n}\n' >>"$work/json"
cp "$work/json" sentences.json
