# A static binary in an empty image: no shell, no package, nobody to become.
# docker build -t apigateway . && docker run --rm -p 127.0.0.1:8000:8000 apigateway

FROM rust:1-slim-bookworm AS build
# The allocator is C.
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src ./src
# The target is named so that build scripts are not linked statically; it is the machine's own.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
    && RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked --target "$target" \
    && cp "target/$target/release/apigateway" /apigateway

FROM scratch
COPY --from=build /apigateway /apigateway
# The API of this repository, so that the image shows something. Mount your own over it.
COPY api.json /api/
COPY stages /api/stages
COPY routes /api/routes
COPY integrations /api/integrations
ENV APIGATEWAY_ROOT=/api \
    APIGATEWAY_LISTEN=0.0.0.0:8000 \
    APIGATEWAY_ADMIN=0.0.0.0:8001
# Nobody's; there is no name in an empty image.
USER 65532:65532
EXPOSE 8000 8001
ENTRYPOINT ["/apigateway"]
