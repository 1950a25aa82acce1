import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, createRemoteJWKSet, jwtVerify, type JSONWebKeySet, type JWTVerifyOptions } from 'jose';
import { invalidSetting } from '../config/settings.js';
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

/** Tells whose token it is. @throws when the token is not genuine, not meant for us, or its time is over */
export type TokenReader = (token: string) => Promise<string>;

/** Never `none`, and never an HMAC where keys are public. */
const publicKeyAlgorithms = ['EdDSA', 'Ed25519', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256'];
const secretAlgorithms = ['HS256'];
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
  const keys = /^https?:/.test(jwks)
    ? createRemoteJWKSet(new URL(jwks), { timeoutDuration: fetchTimeoutMs })
    : createLocalJWKSet(await readJwks(jwks));
  return async (token) => subjectOf(await jwtVerify(token, keys, options));
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
