# The image of every role. See docs/shipping.md.
#   docker build --tag talebank .

# The release of Node that CI tests with. Keep it equal to .nvmrc.
ARG NODE_VERSION=22

# Builds the server and the web app with all packages.
FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build

# Only what runs. `npm prune` without the list of development packages also removes what is there only because such a
# package may be used together with a shipped one (Prisma's command line). No package needs a script of its own here,
# because the database is another container. The image has Node already.
FROM node:${NODE_VERSION}-bookworm-slim AS packages
WORKDIR /opt/talebank
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts \
    && npm pkg delete devDependencies \
    && npm prune --omit=dev --ignore-scripts \
    && rm -rf node_modules/node-linux-* node_modules/.bin/node \
    && npm cache clean --force

FROM node:${NODE_VERSION}-bookworm-slim
# Without npm, which nothing needs at run time.
RUN rm -rf /usr/local/lib/node_modules /opt/yarn-* /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
    && groupadd --gid 10001 talebank \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin talebank \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data /anchors
WORKDIR /opt/talebank
# Everything belongs to root, so that the process cannot change what it runs.
COPY --from=packages /opt/talebank/node_modules node_modules
COPY --from=build /build/dist dist
COPY --from=build /build/web/dist web/dist
COPY --from=build /build/web/graphiql/dist web/graphiql/dist
COPY package.json LICENSE ./
COPY prisma/schema.prisma prisma/schema.prisma
COPY prisma/migrations prisma/migrations
COPY prisma/library prisma/library
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=4000 \
    METRICS_PORT=9464 \
    DATA_DIR=/data
USER 10001:10001
EXPOSE 4000 9464
# A worker has no API, and both roles answer here.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "--eval", "fetch(`http://127.0.0.1:${process.env.METRICS_PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
CMD ["node", "dist/main.js"]
