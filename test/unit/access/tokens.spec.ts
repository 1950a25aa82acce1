import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { tokenReader, type TokenReader } from '../../../src/access/tokens.js';

interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

async function newKey(kid: string, alg = 'EdDSA'): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

async function tokenOf({ kid, alg, privateKey }: Key, subject = 'alice', expires = '2h'): Promise<string> {
  const jwt = new SignJWT({ sub: subject }).setProtectedHeader({ alg, kid }).setIssuer('me').setAudience('quorate');
  return await jwt.setExpirationTime(expires).sign(privateKey);
}

const settings = { issuer: 'me', audience: 'quorate', secret: undefined };

describe('tokens whose keys are in a file', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-tmp-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function readerOf(...keys: readonly Key[]): Promise<TokenReader> {
    const jwks = join(folder, 'jwks.json');
    await writeFile(jwks, JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
    return await tokenReader({ ...settings, jwks });
  }

  it.each(['EdDSA', 'ES256', 'PS256', 'RS256'])('are genuine by any of them (%s)', async (alg) => {
    const [one, other] = [await newKey('one'), await newKey('other', alg)];
    const read = await readerOf(one, other);
    expect(await read(await tokenOf(other))).toBe('alice');
    expect(await read(await tokenOf(one, 'bob'))).toBe('bob');
  });

  it('are not by another, nor by one that passes for one of them', async () => {
    const [one, stranger] = [await newKey('one'), await newKey('stranger')];
    const read = await readerOf(one);
    await expect(read(await tokenOf(stranger))).rejects.toThrow('no applicable key');
    await expect(read(await tokenOf({ ...stranger, kid: 'one' }))).rejects.toThrow('signature verification failed');
    await expect(read(await tokenOf(one, 'alice', '-1h'))).rejects.toThrow('"exp"');
  });

  it('are never genuine by a public key that is used as a secret', async () => {
    const one = await newKey('one', 'RS256');
    const read = await readerOf(one);
    const secret = Buffer.from(await exportSPKI(one.publicKey));
    const jwt = new SignJWT({ sub: 'alice' }).setProtectedHeader({ alg: 'HS256', kid: 'one' }).setIssuer('me');
    const forged = await jwt.setAudience('quorate').setExpirationTime('1h').sign(secret);
    await expect(read(forged)).rejects.toThrow('"alg"');
  });

  it('cannot be read without the file', async () => {
    const missing = tokenReader({ ...settings, jwks: join(folder, 'missing') });
    await expect(missing).rejects.toMatchObject({ code: 'invalid-setting' });
  });
});

describe('tokens whose keys are at a URL', () => {
  let issuer: Server;
  let keys: readonly Key[];
  let asked: number;
  let status: number;
  let read: TokenReader;
  /** Added to the clock, milliseconds. */
  let aheadMs: number;

  beforeEach(async () => {
    [keys, asked, status, aheadMs] = [[await newKey('first')], 0, 200, 0];
    issuer = createServer((_request, response) => {
      asked++;
      response.writeHead(status).end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
    });
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    const { port } = issuer.address() as AddressInfo;
    read = await tokenReader({ ...settings, jwks: `http://127.0.0.1:${port}/jwks.json` });
    const { now } = Date;
    jest.spyOn(Date, 'now').mockImplementation(() => now() + aheadMs);
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    issuer.closeAllConnections();
    await new Promise((resolve) => issuer.close(resolve));
  });

  it('are looked at with what was fetched once', async () => {
    expect(asked).toBe(0);
    for (const name of ['alice', 'bob']) expect(await read(await tokenOf(keys[0]!, name))).toBe(name);
    expect(asked).toBe(1);
  });

  it('are genuine by a new key once the issuer has it, without a restart', async () => {
    await read(await tokenOf(keys[0]!));
    const [old, next] = [keys[0]!, await newKey('next')];
    keys = [old, next];
    await expect(read(await tokenOf(next))).rejects.toThrow('no applicable key'); // asked a moment ago
    aheadMs = 31_000;
    expect(await read(await tokenOf(next))).toBe('alice');
    keys = [next];
    aheadMs = 700_000;
    await expect(read(await tokenOf(old))).rejects.toThrow('no applicable key');
  });

  it('cannot make the gateway ask the issuer all the time', async () => {
    await read(await tokenOf(keys[0]!));
    const stranger = await newKey('stranger');
    const token = await tokenOf(stranger);
    for (let count = 0; count < 20; count++) await expect(read(token)).rejects.toThrow('no applicable key');
    expect(asked).toBe(1);
  });

  it('are as good for a while though the issuer is away, and then it is no fault of theirs', async () => {
    const token = await tokenOf(keys[0]!);
    status = 500;
    await expect(read(token)).rejects.toMatchObject({ code: 'issuer-unavailable' });
    status = 200;
    expect(await read(token)).toBe('alice');
    issuer.closeAllConnections();
    await new Promise((resolve) => issuer.close(resolve));
    aheadMs = 500_000;
    expect(await read(token)).toBe('alice');
    aheadMs = 700_000;
    await expect(read(token)).rejects.toMatchObject({ code: 'issuer-unavailable' });
  });
});
