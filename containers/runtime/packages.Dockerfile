# What a runtime image has above its root, put together on the machine that builds, whatever the target: wheels of the
# target's platform, and our program. Nothing of the target runs here.
#
# Bytecode is made where the target has the Python of the machine that builds.
#
#   base ─┬─ wheels ── gated ─┬─ packages (three folders of files; FROM scratch)
#         ├─ library ─────────┤
#         └─ program ─────────┘
FROM base AS wheels
ARG PLATFORM
ARG PYTHON
ARG LOCK=requirements.lock
ARG SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ARG UV_LINK_MODE=copy
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=bind,from=uv,source=/opt/uv/bin/uv,target=/usr/local/bin/uv \
    --mount=type=bind,source=containers/runtime,target=/mnt/runtime \
    --mount=type=cache,target=/tmp/.cache/uv \
    packages="/out/usr/local/lib/python$PYTHON/dist-packages" \
 && uv pip install --quiet --require-hashes --no-deps --only-binary :all: --python-platform "$PLATFORM" \
      --python-version "$PYTHON" --target "$packages" --requirement /mnt/runtime/$LOCK \
 && rm -rf "${packages:?}/bin" "$packages/.lock" \
 && find "$packages" -type d -name tests -prune -exec rm -r {} +

FROM base AS program
ARG PYTHON
COPY entrypoints/runtime.py /out/opt/program/
COPY entrypoints/optml /out/opt/program/optml
COPY entrypoints/runtimes /out/opt/program/runtimes
COPY entrypoints/vision /out/opt/program/vision
COPY containers/runtime/bin /out/opt/drydock
COPY LICENSE /out/usr/share/doc/drydock/
RUN { test "$PYTHON" != 3.11 || python -m compileall -qq -j 0 --invalidation-mode unchecked-hash -s /out /out/opt/program; } \
 && find /out -exec touch --no-dereference --date @0 {} +

# Debian's packages make the bytecode of Python's own library when they are configured, which an unpacked root never is;
# without it every start reads all of that library as text.
FROM base AS library
ARG PYTHON
ARG ROOT=/mnt/root
RUN --mount=type=bind,from=rootfs,target=/mnt/root \
    mkdir -p /out/usr/lib && from="$ROOT/usr/lib/python$PYTHON" \
 && { test "$PYTHON" != 3.11 || test -z "$ROOT" || test ! -d "$from" || cp -r "$from" /out/usr/lib/; } \
 && python -m compileall -qq -j 0 --invalidation-mode unchecked-hash -s /out /out \
 && find /out ! -type d ! -name '*.pyc' -delete && find /out -type d -empty -delete && mkdir -p /out \
 && find /out -exec touch --no-dereference --date @0 {} +

FROM wheels AS gated
ARG TARGET
ARG PYTHON
ARG ROOT=/mnt/root
RUN --mount=type=bind,from=rootfs,target=/mnt/root \
    --mount=type=bind,source=containers,target=/mnt/drydock/containers \
    --mount=type=bind,source=local/doctor/elf.py,target=/mnt/drydock/local/doctor/elf.py \
    PYTHONPATH=/mnt/drydock python -m containers.gates --python "$PYTHON" "$TARGET" $ROOT /out \
 && python /mnt/drydock/containers/train/sbom.py "drydock-$TARGET" /out/usr/share/doc/drydock $ROOT /out \
 && { test "$PYTHON" != 3.11 || python -m compileall -qq -j 0 --invalidation-mode unchecked-hash -s /out /out || true; } \
 && find /out -exec touch --no-dereference --date @0 {} +

FROM scratch AS packages
COPY --from=gated /out /packages
COPY --from=library /out /library
COPY --from=program /out /program
