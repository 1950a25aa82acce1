import { describe, expect, it } from '@jest/globals';
import { hash } from 'node:crypto';
import { sign } from '../../../src/crypto/ed25519.js';
import { authorityFromToken, enrolmentStatement } from '../../../src/crypto/enrolment.js';
import { genesisBytes, genesisDigest, preamble, type Genesis } from '../../../src/crypto/genesis.js';
import { assertSoundGenesis, Membership, membershipDocument, parseMembership } from '../../../src/crypto/membership.js';
import { QuorateError } from '../../../src/errors.js';
import { identityNamed, signaturesOf, testCluster, testMembership } from './support.js';

/** A deep copy that a test may change. */
function changeable(n = 4) {
  return JSON.parse(JSON.stringify(membershipDocument(testMembership(n)))) as ReturnType<typeof looseDocument>;
}

function looseDocument() {
  return {
    cluster: '',
    epoch: 0,
    n: 0,
    f: 0,
    quorum: 0,
    genesis: {
      digest: '',
      stateMachine: '',
      checkpointInterval: 0,
      logSize: 0,
      authority: '',
      signatures: [{ replica: '', signature: '' }],
    },
    replicas: [{ id: '', publicKey: '', enrolment: '' }],
  };
}

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof QuorateError && error.code === 'invalid-membership') return error.message;
    throw error;
  }
  throw new Error('was not refused');
}

/** The same cluster with another genesis, signed anew by everybody. */
function refounded(change: (genesis: Genesis) => Partial<Genesis>): Membership {
  const { genesis, identities, authority } = testCluster(4);
  const altered = { ...genesis, ...change(genesis) };
  const { founderSignatures, enrolments } = signaturesOf(altered, identities, authority);
  return new Membership(altered, founderSignatures, enrolments);
}

describe('signed bytes', () => {
  it('writes genesis as docs/receipts.md says', () => {
    const { genesis } = testCluster(4);
    const str = (text: string) => `${text.length.toString(16).padStart(4, '0')}${Buffer.from(text).toString('hex')}`;
    const expected = [
      Buffer.from('quorate/1/genesis').toString('hex') + '00',
      str('test-4'),
      genesis.authority.toString('hex'),
      str('key-value@1'),
      '00000080',
      '00000100',
      '0004',
      ...genesis.replicas.map(({ name, publicKey }) => str(name) + publicKey.toString('hex')),
    ].join('');
    expect(genesisBytes(genesis).toString('hex')).toBe(expected);
    expect(genesisDigest(genesis)).toEqual(hash('sha256', Buffer.from(expected, 'hex'), 'buffer'));
  });

  it('begins everything with domain, genesis digest, epoch and kind', () => {
    const digest = Buffer.alloc(32, 0xab);
    expect(preamble(digest, 258, 'reply').toString('hex')).toBe(
      `${Buffer.from('quorate/1').toString('hex')}00${'ab'.repeat(32)}000000000000010205`,
    );
    expect(preamble(digest, 0, 'genesis')).toHaveLength(51);
  });

  it('writes the enrolment statement', () => {
    const publicKey = Buffer.alloc(32, 0xcd);
    expect(enrolmentStatement({ cluster: 'c', role: 'gateway', publicKey, name: 'gw' }).toString('hex')).toBe(
      `${Buffer.from('quorate/1/enrol').toString('hex')}00000163` + '01' + 'cd'.repeat(32) + '00026777',
    );
    expect(enrolmentStatement({ cluster: 'c', role: 'replica', publicKey, name: '' }).toString('hex')).toBe(
      `${Buffer.from('quorate/1/enrol').toString('hex')}00000163` + '00' + 'cd'.repeat(32) + '0000',
    );
  });
});

describe('the authority of a join token', () => {
  it('is the same for the same token and cluster only', () => {
    const key = (token: string, cluster: string) => authorityFromToken(token, cluster).rawPublicKey.toString('hex');
    const first = key('0123456789abcdef', 'quorate');
    expect(first).toBe(key('0123456789abcdef', 'quorate'));
    expect(first).not.toBe(key('0123456789abcdef', 'another'));
    expect(first).not.toBe(key('0123456789abcdeg', 'quorate'));
  });

  it('needs 16 characters', () => {
    expect(() => authorityFromToken('0123456789abcde', 'quorate')).toThrow(
      expect.objectContaining({ code: 'invalid-setting' }),
    );
  });
});

describe('membership', () => {
  it.each([
    [4, 1, 3],
    [5, 1, 4],
    [6, 1, 4],
    [7, 2, 5],
  ])('of %i replicas has f = %i and q = %i, and survives being written and read', (n, f, q) => {
    const membership = testMembership(n);
    expect([membership.n, membership.f, membership.q]).toEqual([n, f, q]);
    const read = parseMembership(JSON.parse(JSON.stringify(membershipDocument(membership))));
    expect(membershipDocument(read)).toEqual(membershipDocument(membership));
    expect(read.digestHex).toBe(genesisDigest(testCluster(n).genesis).toString('hex'));
    expect(read.indexOf('replica-3')).toBe(2);
    expect(read.indexOf('replica-9')).toBeUndefined();
  });

  it('needs four replicas', () => {
    expect(refusal(() => testMembership(3))).toMatch(/4 to 64/);
  });

  it.each<[string, (genesis: Genesis) => Partial<Genesis>, RegExp]>([
    ['a strange cluster name', () => ({ cluster: 'a b' }), /called "a b"/],
    ['no state machine', () => ({ stateMachine: '' }), /state machine/],
    ['a state machine of half a character', () => ({ stateMachine: '\ud800' }), /state machine/],
    ['a state machine with a long name', () => ({ stateMachine: 'é'.repeat(128) }), /state machine/],
    ['no checkpoint interval', () => ({ checkpointInterval: 0 }), /checkpoint interval/],
    ['a log of less than two intervals', () => ({ logSize: 255 }), /two checkpoint intervals/],
    [
      'two replicas of one name',
      ({ replicas }) => ({ replicas: replicas.map((replica) => ({ ...replica, name: 'twin' })) }),
      /one name/,
    ],
    [
      'a strange replica name',
      ({ replicas }) => ({ replicas: replicas.map(({ name, publicKey }) => ({ name: `${name}\n`, publicKey })) }),
      /called "replica-1\\n"/,
    ],
    [
      'two replicas of one key',
      ({ replicas, authority }) => ({ replicas: replicas.map(({ name }) => ({ name, publicKey: authority })) }),
      /stands for two/,
    ],
    ['the key of a replica as authority', ({ replicas }) => authorityOf(replicas[0]?.publicKey), /stands for two/],
    ['an unsound authority', () => authorityOf(Buffer.alloc(32)), /authority: .* a point of small order/],
  ])('refuses %s', (_, change, reason) => {
    expect(refusal(() => refounded(change))).toMatch(reason);
  });

  it('refuses an unsound key of a replica', () => {
    const { genesis } = testCluster(4);
    const [first, ...others] = genesis.replicas;
    const replicas = [{ name: first?.name ?? '', publicKey: Buffer.alloc(32) }, ...others];
    expect(refusal(() => assertSoundGenesis({ ...genesis, replicas }))).toMatch(/replica-1: .* a point of small order/);
  });

  it('needs every founder’s signature, of this genesis', () => {
    const { genesis, founderSignatures, enrolments } = testCluster(4);
    expect(refusal(() => new Membership(genesis, founderSignatures.slice(0, 3), enrolments))).toMatch(
      /replica-4 has not signed/,
    );
    expect(refusal(() => new Membership({ ...genesis, logSize: 512 }, founderSignatures, enrolments))).toMatch(
      /replica-1 has not signed/,
    );
    const tooMany = [...founderSignatures, ...founderSignatures];
    expect(refusal(() => new Membership(genesis, tooMany, enrolments))).toMatch(/more signatures/);
  });

  it('needs every founder admitted by the authority, as a replica of this cluster, under its name or none', () => {
    const { genesis, founderSignatures, enrolments, authority, identities } = testCluster(4);
    const publicKey = identities[3]?.rawPublicKey ?? Buffer.alloc(0);
    const sound = { cluster: genesis.cluster, role: 'replica', publicKey, name: '' } as const;
    const admit = (enrolment: Buffer) =>
      new Membership(genesis, founderSignatures, [...enrolments.slice(0, 3), enrolment]);
    const signed = (change: object, signer = authority) =>
      sign(signer.privateKey, enrolmentStatement({ ...sound, ...change }));
    expect(admit(signed({})).n).toBe(4);
    expect(admit(signed({ name: 'replica-4' })).n).toBe(4);
    for (const change of [{ name: 'replica-3' }, { role: 'gateway' }, { cluster: 'test-7' }]) {
      expect(refusal(() => admit(signed(change)))).toMatch(/not admitted replica-4/);
    }
    expect(refusal(() => admit(signed({}, identityNamed('another authority'))))).toMatch(/not admitted/);
    expect(refusal(() => new Membership(genesis, founderSignatures, enrolments.slice(0, 3)))).toMatch(/not admitted/);
  });

  it.each<[string, (document: ReturnType<typeof looseDocument>) => void, RegExp]>([
    ['another epoch', (document) => (document.epoch = 1), /epoch/],
    ['another n', (document) => (document.n = 5), /n, f or quorum/],
    ['another f', (document) => (document.f = 2), /n, f or quorum/],
    ['another quorum', (document) => (document.quorum = 4), /n, f or quorum/],
    ['another digest', (document) => (document.genesis.digest = '0'.repeat(64)), /digest is another/],
    ['an upper-case digest', (document) => (document.genesis.digest = 'A'.repeat(64)), /lower-case/],
    ['signatures in another order', (document) => void document.genesis.signatures.reverse(), /in their order/],
    ['a signature fewer', (document) => void document.genesis.signatures.pop(), /in their order/],
    ['replicas in another order', (document) => void document.replicas.reverse(), /in their order/],
    ['an unknown field', (document) => Object.assign(document.genesis, { note: '' }), /note/],
    ['base64 without padding', unpadded, /base64/],
    ['base64 with stray bits', withStrayBits, /base64/],
  ])('refuses a document with %s', (_, change, reason) => {
    const document = changeable();
    change(document);
    expect(refusal(() => parseMembership(document))).toMatch(reason);
  });

  it.each([null, 1, 'membership', [], {}])('refuses %j as a document', (json) => {
    expect(refusal(() => parseMembership(json))).not.toBe('');
  });
});

function authorityOf(authority: Buffer = Buffer.alloc(0)) {
  return { authority };
}

function unpadded({ genesis }: ReturnType<typeof looseDocument>): void {
  genesis.authority = genesis.authority.replaceAll('=', '');
}

/** 32 bytes end in a digit of which only four bits count. */
function withStrayBits({ genesis }: ReturnType<typeof looseDocument>): void {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const last = genesis.authority.at(-2) ?? '';
  genesis.authority = `${genesis.authority.slice(0, -2)}${digits[digits.indexOf(last) + 1] ?? ''}=`;
}
