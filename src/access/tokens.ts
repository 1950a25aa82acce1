import { readFile } from 'node:fs/promises';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  jwtVerify,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from 'jose';
import { invalidSetting } from '../config/settings.js';
import { QuorateError } from '../errors.js';
import { clientNamePattern } from './access-rules.js';

export interface TokenSettings {
  /** `iss` of every token. */
  readonly issuer: string;
  /** `aud` of every token. */
  readonly audience: string;
  /** URL or path of the issuer's keys, else `secret`. */
  readonly jwks: string | undefined;
  readonly secret: string | undefined;
}

/**
 * Tells whose token it is.
 * @throws {QuorateError} `issuer-unavailable`; anything else when the token is not genuine, not meant for us, or its time is over
 */
export type TokenReader = (token: string) => Promise<string>;

/** Never `none`, and never an HMAC where keys are public. */
const publicKeyAlgorithms = ['EdDSA', 'Ed25519', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256'];
const secretAlgorithms = ['HS256'];
/** What a key set says to a token that it has no key for. */
const tokenErrors = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];
const clockToleranceS = 30;
const fetchTimeoutMs = 3_000;

/** @throws {QuorateError} `invalid-setting` when the keys cannot be read */
export async function tokenReader({ issuer, audience, jwks, secret }: TokenSettings): Promise<TokenReader> {
  const shared = { issuer, audience, clockTolerance: clockToleranceS, requiredClaims: ['exp', 'sub'] };
  if (jwks === undefined) {
    const key = Buffer.from(secret ?? '', 'utf8');
    return async (token) => subjectOf(await jwtVerify(token, key, { ...shared, algorithms: secretAlgorithms }));
  }
  const options: JWTVerifyOptions = { ...shared, algorithms: publicKeyAlgorithms };
  const keys = /^https?:/.test(jwks) ? remoteKeys(new URL(jwks)) : createLocalJWKSet(await readJwks(jwks));
  return async (token) => subjectOf(await jwtVerify(token, keys, options));
}

/**
 * The issuer's keys, fetched when they are needed, and again for a key that is not among them, at most every 30 s. For ten minutes
 * they hold though the issuer cannot be reached.
 */
function remoteKeys(url: URL): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url, { timeoutDuration: fetchTimeoutMs });
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      const isOfToken = tokenErrors.some((kind) => error instanceof kind);
      if (isOfToken) throw error;
      throw new QuorateError('issuer-unavailable', `no keys from ${url.href}`, {}, { cause: error });
    }
  };
}

function subjectOf({ payload }: { readonly payload: { readonly sub?: string } }): string {
  const { sub = '' } = payload;
  if (clientNamePattern.test(sub)) return sub;
  throw new Error('its subject is no name of a client');
}

async function readJwks(file: string): Promise<JSONWebKeySet> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as JSONWebKeySet;
  } catch (error) {
    throw invalidSetting('JWT_JWKS', file, `a URL, or a file that holds a JSON Web Key Set (${String(error)})`);
  }
}
