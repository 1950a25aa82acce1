import { describe, expect, it } from '@jest/globals';
import { Ed25519Signer, Ed25519Verifier } from '../../../src/crypto/signatures.js';
import { sha256 } from '../../../src/crypto/digest.js';
import { publicKeyFromRaw, sign, verify } from '../../../src/crypto/ed25519.js';
import { enrolmentStatement } from '../../../src/crypto/enrolment.js';
import { preamble } from '../../../src/crypto/genesis.js';
import { digest, sequence, view } from '../../../src/pbft/types.js';
import type { Channel } from '../../../src/ports/bus.js';
import { encodeBundleBody } from '../../../src/wire/bundle.js';
import type { Credential } from '../../../src/wire/credential.js';
import { Opener, Sealer } from '../../../src/wire/envelope.js';
import { gatewaySigner, type Frame } from '../../../src/wire/frame.js';
import type { Kind } from '../../../src/wire/kinds.js';
import { encodePhaseBody } from '../../../src/wire/phase.js';
import { identityNamed, testCluster, testMembership } from '../crypto/support.js';

const membership = testMembership(4);
const { identities, authority, genesis } = testCluster(4);
const context = { genesisDigest: membership.digest, epoch: 0, n: 4 };
const opener = new Opener(context, new Ed25519Verifier(membership));
const body = encodePhaseBody({ view: view(0), sequence: sequence(1), digest: digest('a'.repeat(64)) });

function sealer(index: number, change: Partial<typeof context> = {}, key = identities[index]!): Sealer {
  return new Sealer({ ...context, ...change }, new Ed25519Signer(key), index);
}

function gateway(
  name: string,
  key = identityNamed(name),
  admitter = authority,
): { credential: Credential; sealer: Sealer } {
  const statement = enrolmentStatement({
    cluster: genesis.cluster,
    role: 'gateway',
    publicKey: key.rawPublicKey,
    name,
  });
  const enrolment = sign(admitter.privateKey, statement);
  return {
    credential: { name, publicKey: key.rawPublicKey, enrolment },
    sealer: new Sealer(context, new Ed25519Signer(key), gatewaySigner),
  };
}

function openAndVerify(bytes: Buffer, channel: Channel): boolean | string {
  const frame = opener.open(bytes, channel);
  return typeof frame === 'string' ? frame : opener.verify(frame);
}

describe('a sealed frame', () => {
  it('is opened on its channel and verified', () => {
    expect(openAndVerify(sealer(1).seal('commit', body), 'commit')).toBe(true);
    expect(opener.openInner(sealer(1).seal('commit', body), 'commit')).toMatchObject({ signer: 1, kind: 'commit' });
  });

  it.each<[Kind, Channel]>([
    ['commit', 'prepare'],
    ['prepare', 'commit'],
    ['pre-prepare', 'prepare'],
    ['reply', 'commit'],
    ['checkpoint', 'view-change'],
    ['new-view', 'view-change'],
    ['decided', 'status'],
    ['batch', 'request'],
    ['fetch-batch', 'request'],
  ])('of kind %s is refused on %s', (kind, channel) => {
    expect(openAndVerify(sealer(1).seal(kind, body), channel)).toBe('wrong-channel');
  });

  it('is refused inside another one where another kind is due', () => {
    expect(opener.openInner(sealer(1).seal('prepare', body), 'commit')).toBe('wrong-channel');
  });

  it('of another cluster, epoch or signer is refused by its header', () => {
    const other = { genesisDigest: testMembership(5).digest };
    expect(openAndVerify(sealer(1, other).seal('commit', body), 'commit')).toBe('wrong-cluster');
    expect(openAndVerify(sealer(1, { epoch: 1 }).seal('commit', body), 'commit')).toBe('wrong-epoch');
    expect(openAndVerify(sealer(4, {}, identityNamed('a fifth')).seal('commit', body), 'commit')).toBe(
      'unknown-signer',
    );
    expect(openAndVerify(sealer(gatewaySigner, {}, identities[1]).seal('commit', body), 'commit')).toBe(
      'unknown-signer',
    );
    expect(openAndVerify(sealer(1).seal('request', body), 'request')).toBe('unknown-signer');
    expect(openAndVerify(sealer(1).seal('query', body), 'request')).toBe('unknown-signer');
  });

  it('does not verify with another cluster, epoch or kind under the signature than in the header', () => {
    const { privateKey } = identities[1]!;
    const tagged = Buffer.concat([membership.digest.subarray(0, 8), Buffer.alloc(24, 9)]); // another cluster, same tag
    const others = [
      sealer(1, { genesisDigest: tagged }).signatureOf('commit', body),
      sealer(1, { epoch: 1 }).signatureOf('commit', body),
      sealer(1).signatureOf('prepare', body),
      sealer(2).signatureOf('commit', body),
      Buffer.concat([sign(privateKey, body), Buffer.alloc(32)]),
    ];
    for (const signature of others) {
      expect(openAndVerify(sealer(1).wrap('commit', body, signature, Buffer.alloc(0)), 'commit')).toBe(false);
    }
  });

  it('is refused with an attachment that its kind does not have: nothing would bind it', () => {
    expect(openAndVerify(sealer(1).seal('commit', body, Buffer.of(1)), 'commit')).toBe('malformed-frame');
    expect(openAndVerify(sealer(1).seal('pre-prepare', body, Buffer.of(1)), 'pre-prepare')).toBe(true);
  });

  it('does not verify after a change of any one bit', () => {
    const bytes = sealer(1).seal('commit', body);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(openAndVerify(flipped, 'commit')).not.toBe(true);
    }
  });
});

describe("a gateway's frame", () => {
  const requests = [{ client: 'gateway-1', timestamp: 1, operation: Buffer.from('{}') }];
  const sealed = ({ credential, sealer: seal }: ReturnType<typeof gateway>): Buffer =>
    seal.seal('request', encodeBundleBody(credential, 10, requests));

  it('is verified with the key that the authority has admitted', () => {
    expect(openAndVerify(sealed(gateway('gateway-1')), 'request')).toBe(true);
  });

  it('is refused when somebody else has admitted it, or admitted it as something else', () => {
    expect(openAndVerify(sealed(gateway('gateway-1', undefined, identityNamed('a stranger'))), 'request')).toBe(false);
    const asReplica = gateway('gateway-1');
    const { publicKey, name } = asReplica.credential;
    const statement = enrolmentStatement({ cluster: genesis.cluster, role: 'replica', publicKey, name });
    const enrolment = sign(authority.privateKey, statement);
    expect(openAndVerify(sealed({ ...asReplica, credential: { ...asReplica.credential, enrolment } }), 'request')).toBe(
      false,
    );
  });

  it('is refused under a name or key that was not the admitted one, and unless that key signed it', () => {
    const one = gateway('gateway-1');
    const two = gateway('gateway-2');
    const renamed = { ...one.credential, name: 'gateway-2' };
    const stolen = { ...one.credential, publicKey: two.credential.publicKey };
    expect(openAndVerify(sealed({ ...one, credential: renamed }), 'request')).toBe(false);
    expect(openAndVerify(sealed({ ...two, credential: stolen }), 'request')).toBe(false);
    expect(openAndVerify(sealed({ ...two, credential: one.credential }), 'request')).toBe(false);
  });

  it('is signed by its digest, and by nothing else', () => {
    const one = gateway('gateway-1');
    const frame = opener.open(sealed(one), 'request') as Frame;
    const before = preamble(membership.digest, 0, 'request');
    const key = publicKeyFromRaw(one.credential.publicKey);
    const digest = sha256(frame.body);
    expect(verify(key, Buffer.concat([before, Buffer.from(digest, 'hex')]), frame.signature)).toBe(true);
    expect(verify(key, Buffer.concat([before, frame.body]), frame.signature)).toBe(false);
    expect([opener.verify(frame, digest), opener.verify(frame, sha256(Buffer.alloc(1)))]).toEqual([true, false]);
  });

  it('is refused when there is no credential in it', () => {
    expect(openAndVerify(gateway('gateway-1').sealer.seal('request', Buffer.alloc(3)), 'request')).toBe(false);
  });
});
