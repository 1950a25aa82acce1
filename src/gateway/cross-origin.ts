import type { IncomingMessage, ServerResponse } from 'node:http';

const METHODS = 'GET, HEAD, POST, DELETE';
const REQUEST_HEADERS = 'authorization, content-type, idempotency-key, prefer, last-event-id';
const ANSWER_HEADERS = 'Location, Preference-Applied, Retry-After, WWW-Authenticate';
/** How long a browser need not ask again, seconds. */
const PREFLIGHT_MAX_AGE_S = 600;

/**
 * Lets the pages of `origins` read the answers (CORS), and answers a browser that asks beforehand. Credentials that a browser
 * sends by itself are never allowed: a page brings its own token.
 * @param origins `*` is all
 * @returns whether the request has been answered
 */
export function crossOrigin(request: IncomingMessage, response: ServerResponse, origins: readonly string[]): boolean {
  if (origins.length === 0) return false;
  response.setHeader('Vary', 'Origin');
  const { origin } = request.headers;
  if (origin === undefined) return false;
  const allowed = origins.includes('*') ? '*' : origins.find((one) => one === origin);
  if (allowed === undefined) return false;
  response.setHeader('Access-Control-Allow-Origin', allowed);
  response.setHeader('Access-Control-Expose-Headers', ANSWER_HEADERS);
  response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
  if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return false;
  response.setHeader('Access-Control-Allow-Methods', METHODS);
  response.setHeader('Access-Control-Allow-Headers', REQUEST_HEADERS);
  response.setHeader('Access-Control-Max-Age', String(PREFLIGHT_MAX_AGE_S));
  response.writeHead(204).end();
  return true;
}
