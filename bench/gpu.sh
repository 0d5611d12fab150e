#!/usr/bin/env bash
# All that a GPU is needed for, in one command and under 9 minutes, on a machine with an H100 or H200, nvcc 13, 16 cores,
# and no network: builds the kernels for sm_90 and sm_90a, runs the tests of the device, a part of their cases under
# compute-sanitizer, and the benchmarks beside PyTorch; prints a short table last.
#
#   bench/gpu.sh                leaves bench/results/*_cuda.json; logs and a copy of the results under build/gpu/log
#   OUT=DIR bench/gpu.sh        or under DIR; CONVOLITH_COMMIT names the commit where git cannot
#
# Seconds that each step may take at most, of which most need less: build 170, tests 70, sanitizers 80 (all three at
# once), ops 50, train 60, convolutions what is left of 530. A step that fails does not keep the next from running; the
# status is 0 if all succeeded. A benchmark that is out of time writes the rows that it has.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

deadline=530
python=${PYTHON:-python3}
logs=${OUT:-build/gpu/log}
export PATH=$PATH:/usr/local/cuda/bin PYTHONPATH=$PWD/python${PYTHONPATH:+:$PYTHONPATH}
mkdir -p "$logs" bench/results
logs=$(cd "$logs" && pwd)
rm -f "$logs"/*.step "$logs"/*_cuda.json

missing=()
for tool in nvcc cmake ninja c++ "$python"; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
for module in numpy torch pytest pybind11 safetensors tqdm; do
  "$python" -c "import $module" 2>/dev/null || missing+=("$module for $python")
done
if ((${#missing[@]})); then
  printf 'gpu.sh: there is no %s\n' "${missing[@]}" >&2
  echo "gpu.sh: Python packages may lie in any directory of PYTHONPATH: pip install --target DIR NAME" >&2
  exit 2
fi
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "gpu.sh: PyTorch sees no GPU" >&2
  exit 2
fi

# step NAME SECONDS COMMAND...: the command's output goes to NAME.log, how it ended to NAME.step.
step() {
  local name=$1 limit=$2 start=$SECONDS status=0 ended
  shift 2
  timeout --signal="${stop:-INT}" --kill-after=8 "$limit" "$@" >"$logs/$name.log" 2>&1 || status=$?
  case $status in
    0) ended=ok ;;
    124 | 137) ended="FAILED: out of time ($limit s)" ;;
    *) ended="FAILED: status $status" ;;
  esac
  printf '%-12s %4d s  %s\n' "$name" $((SECONDS - start)) "$ended" | tee "$logs/$name.step"
  ((status == 0)) || tail -n 15 "$logs/$name.log"
}

build() {
  cmake -S . -B build/gpu -G Ninja -DCONVOLITH_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=90-real;90a-real" \
    -DPython_EXECUTABLE="$(command -v "$python")" && cmake --build build/gpu
}
export -f build
export python
step build 170 bash -c build

workers=()
"$python" -c 'import xdist' 2>/dev/null && workers=(-n 8)
step tests 70 "$python" -m pytest -q "${workers[@]}" --device cuda tests/test_primitives.py tests/test_device.py \
  tests/test_graph.py tests/test_loader.py \
  -k "not same_bits and not f64"

# The same cases every time, of all primitives in no order.
"$python" -m pytest -q --collect-only --device cuda tests/test_primitives.py -k "cuda and f32" 2>/dev/null |
  grep '::test_primitive\[' | shuf --random-source=bench/conv.py >"$logs/cases"
sanitize() {  # TOOL, number of cases, options
  local tool=$1 cases
  mapfile -t cases < <(head -n "$2" "$logs/cases")
  shift 2
  stop=TERM step "$tool" 80 compute-sanitizer --tool "$tool" --target-processes all --error-exitcode 9 "$@" \
    "$python" -m pytest -q --device cuda "${cases[@]}"
}
sanitize memcheck 200 &
sanitize racecheck 120 &
sanitize initcheck 160 &
wait

compare() {  # seconds, WHAT, options
  local limit=$1 what=$2
  shift 2
  step "$what" "$limit" "$python" bench/compare.py "$what" --device cuda --peer torch --quick "$@" \
    --json "$logs/${what}_cuda.json"
}
compare 50 ops
compare 60 train --models resnet50
compare $((deadline - SECONDS > 40 ? deadline - SECONDS : 40)) conv --suite resnet50

for what in ops train conv; do
  cp "$logs/${what}_cuda.json" bench/results
  printf '\n%s: ' "$what"
  sed -n '/^geometric/,$p' "$logs/$what.log"
done
printf '\n%s, %d s\n' "$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader)" "$SECONDS"
cat "$logs"/*.step
! grep -q FAILED "$logs"/*.step
