# One image for replicas and gateways; docker-compose.yml says which of the two a container is. Plain instructions only, so
# that engines without BuildKit build it, too.

FROM node:24-slim AS manifest
WORKDIR /app
# Apart from the sources: a layer with dependencies is made anew only when these files change.
COPY package.json package-lock.json .npmrc ./

FROM manifest AS build
RUN npm ci --ignore-scripts
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

# What runs in production needs no install scripts and none of the development tools.
FROM manifest AS production
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-slim
ENV NODE_ENV=production DATA_DIR=/data
WORKDIR /app
COPY --from=production /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
COPY bin ./bin
# Keys are kept here. A new volume takes over the owner and the mode of the folder that it is mounted on.
RUN install -d -m 0700 -o node -g node /data
USER node
EXPOSE 3000
# The entry alone: `docker run IMAGE verify …` and the compose file's `replica` and `gateway` are its commands.
ENTRYPOINT ["node", "bin/quorate.mjs"]
CMD ["--help"]
