# syntax=docker/dockerfile:1
# One image for every part of Setscrew. Not yet built anywhere: no container engine runs where this project is made
# (the install issue does that). Give the Python base with its digest:
#   docker build --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:… .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG GO_IMAGE=golang:1.26.5-bookworm@sha256:1ecb7edf62a0408027bd5729dfd6b1b8766e578e8df93995b225dfd0944eb651

# --- the renderers, from the pinned modules of tools/ (the same versions as in demo and tests)
FROM ${GO_IMAGE} AS renderers
ENV CGO_ENABLED=0 GOFLAGS=-trimpath
WORKDIR /src/helm
COPY tools/helm/ ./
# The version stamps are those of setscrew/controlplane/pins.py; a test holds the two together.
RUN go build -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1" \
      -o /out/helm helm.sh/helm/v4/cmd/helm
WORKDIR /src/kubernetes
COPY tools/kubernetes/ ./
RUN go build -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 \
      -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36" \
      -o /out/kubectl k8s.io/kubernetes/cmd/kubectl

# --- the Python environment, by hash; the wheel carries policies/ and manifests/ as setscrew/_policies and _manifests
FROM ${PYTHON_IMAGE} AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/build && python -m venv /opt/setscrew
# Dependencies before code: they change seldom, so their layer is kept.
COPY requirements.txt requirements-dev.txt ./
RUN /opt/setscrew/bin/pip install --require-hashes -r requirements.txt \
 && /opt/build/bin/pip install --require-hashes -r requirements-dev.txt
COPY pyproject.toml README.md LICENSE ./
COPY policies/ policies/
COPY manifests/ manifests/
COPY reconciler/ reconciler/
COPY webhook/ webhook/
COPY setscrew/ setscrew/
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/setscrew/bin/pip install --no-deps /dist/*.whl \
 && /opt/setscrew/bin/pip uninstall --yes pip setuptools

# --- what runs
FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="setscrew" org.opencontainers.image.licenses="Apache-2.0"
# git and ssh fetch sources, gpg verifies signatures; nothing else is added to the base.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git gpg openssh-client \
 && rm -rf /var/lib/apt/lists/*
COPY --from=renderers /out/ /usr/local/bin/
COPY --from=environment /opt/setscrew/ /opt/setscrew/
COPY LICENSE /usr/share/doc/setscrew/LICENSE
# HOME is on the writable /tmp: the root file system is read-only (manifests/base/deployment.yaml).
ENV PATH=/opt/setscrew/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that runAsNonRoot can be checked without reading the image's passwd.
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["setscrew"]
CMD ["--help"]
