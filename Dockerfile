# One image for every part of Setscrew. What is in it, how it is built and how it was tried: docs/how-to/build-image.md.
# Both are names that a registry answers; their digests count. `tools/build_image.py --local` makes stand-ins for them.
ARG BASE=docker.io/library/debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171
ARG GO=docker.io/library/golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d

# --- the renderers, from the pinned modules of tools/ (the same versions as in demo and tests)
FROM ${GO} AS renderers
ENV CGO_ENABLED=0 GOCACHE=/var/cache/go-build GOFLAGS=-trimpath GOTOOLCHAIN=local GOWORK=off
WORKDIR /src/helm
COPY tools/helm/ ./
# The version stamps are those of setscrew/controlplane/pins.py; a test holds the two together. The secret is for builds
# behind a proxy with certificates of its own; without it nothing is mounted.
RUN --mount=type=cache,target=/var/cache/go-build --mount=type=cache,target=/go/pkg/mod \
    --mount=type=secret,id=ca-bundle,target=/etc/ssl/certs/ca-certificates.crt \
    go build -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1" \
      -o /out/helm helm.sh/helm/v4/cmd/helm
WORKDIR /src/kubernetes
COPY tools/kubernetes/ ./
RUN --mount=type=cache,target=/var/cache/go-build --mount=type=cache,target=/go/pkg/mod \
    --mount=type=secret,id=ca-bundle,target=/etc/ssl/certs/ca-certificates.crt \
    go build -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 \
      -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36" \
      -o /out/kubectl k8s.io/kubernetes/cmd/kubectl

# --- the Python environment, by hash; the wheel carries policies/ and manifests/ as setscrew/_policies and _manifests
FROM ${BASE} AS environment
# Without versions: Debian keeps one of a package, the newest; the bill of materials says which it was.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
# What builds stays here: no pip and no backend in what runs.
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/setscrew
# Dependencies before code: they change seldom, so their layer is kept.
COPY requirements.txt requirements-wheel.txt ./
RUN --mount=type=secret,id=ca-bundle,target=/etc/ssl/certs/ca-certificates.crt \
    /opt/build/bin/pip install --require-hashes -r requirements-wheel.txt \
 && /opt/build/bin/pip --python /opt/setscrew/bin/python install --no-compile --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY policies/ policies/
COPY manifests/ manifests/
COPY reconciler/ reconciler/
COPY webhook/ webhook/
COPY setscrew/ setscrew/
# Bytecode is judged by nothing but its presence: the files cannot change, and a start reads half as many of them.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/build/bin/pip --python /opt/setscrew/bin/python install --no-compile --no-deps /dist/*.whl \
 && /opt/setscrew/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/setscrew/lib

# --- what runs
FROM ${BASE}
# git and ssh fetch sources, gpg reads signatures, tini ends what a killed git or helm leaves behind. Debian's git asks for
# Perl, whose commands nothing here calls. ssh refuses to work for a user without a name. The directories are those that
# pods mount.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git gpg openssh-client python3 tini \
 && dpkg --purge --force-depends liberror-perl libperl5.36 perl perl-modules-5.36 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
 && echo 'setscrew:x:65532:65532:Setscrew:/tmp:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'setscrew:x:65532:' >> /etc/group \
 && install -d -m 0755 /etc/setscrew \
 && install -d -m 0700 -o 65532 -g 65532 /var/lib/setscrew
COPY --from=renderers /out/ /usr/local/bin/
COPY --from=environment /opt/setscrew/ /opt/setscrew/
COPY --chmod=0644 LICENSE /usr/share/doc/setscrew/LICENSE
# HOME is on the writable /tmp: the root file system is read-only (manifests/base/deployment.yaml).
ENV PATH=/opt/setscrew/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that runAsNonRoot can be checked without reading the image's passwd.
USER 65532:65532
WORKDIR /tmp
EXPOSE 8443 8080 8444
ENTRYPOINT ["tini", "--", "setscrew"]
CMD ["--help"]
# Last, so that no layer depends on them.
ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Setscrew" \
      org.opencontainers.image.description="Locks a Kubernetes cluster to Git: refuses drift, and reports what drifted" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE}"
