# One image for every role: `work` (the default), `serve`, `enqueue`, `sandbox` and all the rest of the one binary.
# The last stage holds that binary, the C library it links to and the public CA certificates; there is no
# shell, no package manager and no secret in any layer. Keys and passwords come as mounted files
# (docs/configuration.md: `{ file = "PATH" }`), never as build arguments.
#
#   docker build -t trunkline:0.1.0 .

FROM rust:1.95.0-slim-trixie AS toolchain
WORKDIR /src

# The manifests with stand-ins for the sources. It runs again with every change, but as long as no
# manifest changes its result is the same, so that the dependencies below come from the cache.
FROM toolchain AS manifests
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY . .
RUN mkdir /skeleton \
    && cp Cargo.toml Cargo.lock /skeleton/ \
    && find . -mindepth 2 -name Cargo.toml | while read -r manifest; do \
        package="/skeleton/$(dirname "$manifest")"; \
        mkdir -p "$package/src"; \
        cp "$manifest" "$package/"; \
        : > "$package/src/lib.rs"; \
        echo 'fn main() {}' > "$package/src/main.rs"; \
        sed -n 's/^path = "\(.*\.rs\)"$/\1/p' "$manifest" | while read -r named; do \
            mkdir -p "$package/$(dirname "$named")"; \
            echo 'fn main() {}' > "$package/$named"; \
        done; \
    done

FROM toolchain AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY --from=manifests /skeleton/ ./
RUN cargo build --locked --release --package cli \
    && find . -path ./target -prune -o -name '*.rs' -exec rm {} +
COPY . .
# The sources are touched because cargo goes by their times, and a checkout can be older than the stand-ins.
RUN find . -name '*.rs' -not -path './target/*' -exec touch {} + \
    && cargo build --locked --release --package cli
# What the binary needs at run time, and nothing else. /data is no part of it: a folder that the copy of
# /image makes stays root's, whatever a later COPY --chown says.
RUN mkdir -p /image/usr/local/bin /image/etc/ssl/certs /data \
    && cp target/release/trunkline /image/usr/local/bin/ \
    && ldd target/release/trunkline \
        | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' \
        | xargs cp --dereference --parents --target-directory=/image \
    && cp --dereference /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
    && /image/usr/local/bin/trunkline --version

FROM scratch
COPY --from=build /image/ /
# For the simulator and an embedded store; with Redis nothing is written, and the root may be read-only.
COPY --from=build --chown=65532:65532 /data /data
ENV PATH=/usr/local/bin
WORKDIR /data
# `serve`, once TRUNKLINE_LISTEN says that it listens on all addresses of the container; a worker's probes.
EXPOSE 8484 8485
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
# Opens the store as a worker does and counts what is in it. It fails when the store cannot be reached,
# refuses the login, has another key or is of a newer schema; it asks nothing of Exotel. For `serve` ask
# the server itself instead (`trunkline probe`), and a worker that has worker_listen (`trunkline probe
# --worker`). A simulator's container has no store: switch it off there.
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/trunkline", "status", "--json"]
ENTRYPOINT ["/usr/local/bin/trunkline"]
CMD ["work"]
