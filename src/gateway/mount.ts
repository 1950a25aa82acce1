import type { RequestListener, Server } from 'node:http';

/** What is the gateway's on a server that has a life of its own: the API alone, or all below a path that is the gateway's. */
function isOurs(url: string, path: string): boolean {
  const root = path === '' ? '/v1' : path;
  return url.startsWith(root) && (url.length === root.length || '/?'.includes(url.charAt(root.length)));
}

/**
 * Has `handle` answer what comes below `path` of a server, and whoever answered until now the rest. It comes before a framework's
 * own middlewares, pipes and filters: neither do they see the gateway's requests (a body parser would leave it none), nor it theirs.
 * @param path `''`, or `/` and a name, or several such; `handle` does not see it
 */
export function mount(server: Server, path: string, handle: RequestListener): void {
  const others = server.rawListeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const { url = '' } = request;
    if (!isOurs(url, path)) {
      for (const other of others) other.call(server, request, response);
      return;
    }
    const below = url.slice(path.length);
    request.url = below.startsWith('/') ? below : `/${below}`;
    handle(request, response);
  });
}
