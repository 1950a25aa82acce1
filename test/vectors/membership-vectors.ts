import { ed25519 } from '@noble/curves/ed25519.js';
import { genesisDigest, type Genesis } from '../../src/crypto/genesis.js';
import { membershipDocument } from '../../src/crypto/membership.js';
import { identityNamed, signaturesOf, testCluster, testMembership } from '../unit/crypto/support.js';
import { genuine } from './genuine.js';
import type { Vector } from './vector.js';

/** A JSON object that may be changed. */
type Loose = Record<string, unknown>;

const text = JSON.stringify(genuine({ n: 4, size: 3, index: 1 }).reply);

function brokenMembership(description: string, membershipText: string): Vector {
  return { description, membershipText, text, expected: { valid: false, code: 'invalid-membership' } };
}

function changedMembership(change: (document: Loose, genesis: Loose, replicas: Loose[]) => void): string {
  const document = JSON.parse(JSON.stringify(membershipDocument(testMembership(4)))) as Loose;
  change(document, document.genesis as Loose, document.replicas as Loose[]);
  return JSON.stringify(document);
}

/** A membership whose genesis was altered and signed anew by all, which no `Membership` would be made of. */
function refounded(change: (genesis: Genesis) => Partial<Genesis>, forged?: string): string {
  const { genesis, identities, authority } = testCluster(4);
  const altered = { ...genesis, ...change(genesis) };
  const { founderSignatures, enrolments } = signaturesOf(altered, identities, authority);
  return changedMembership((document, documentGenesis, replicas) => {
    document.cluster = altered.cluster;
    document.n = altered.replicas.length;
    documentGenesis.digest = genesisDigest(altered).toString('hex');
    documentGenesis.authority = altered.authority.toString('base64');
    documentGenesis.logSize = altered.logSize;
    documentGenesis.signatures = altered.replicas.map(({ name }, index) => {
      const signature = index === 3 && forged !== undefined ? forged : founderSignatures[index]?.toString('base64');
      return { replica: name, signature };
    });
    replicas.splice(0, 4);
    for (const [index, { name, publicKey }] of altered.replicas.entries()) {
      const enrolment = enrolments[index]?.toString('base64');
      replicas.push({ id: name, publicKey: publicKey.toString('base64'), enrolment });
    }
  });
}

/** The last replica gets another key; its signature of genesis is `forged`. */
function withLastKey(publicKey: Buffer, forged: Buffer): string {
  return refounded(({ replicas }) => {
    return { replicas: replicas.map((replica, index) => (index === 3 ? { ...replica, publicKey } : replica)) };
  }, forged.toString('base64'));
}

/** By the names of their files: a genuine receipt with memberships that nobody may believe. */
export function membershipVectors(): [string, Vector][] {
  const identityPoint = Buffer.from(`01${'00'.repeat(31)}`, 'hex');
  const identityTwice = Buffer.from(`ee${'ff'.repeat(30)}7f`, 'hex');
  const fitsEverything = Buffer.concat([identityPoint, Buffer.alloc(32)]);
  const all: [string, string, string][] = [
    ['no-json', 'No JSON.', '{'],
    ['duplicate-key', 'A key twice.', changedMembership(() => undefined).replace('{', '{"n":4,')],
    ['unknown-field', 'A field more.', changedMembership((document) => (document.note = ''))],
    ['other-epoch', 'Another epoch than 0.', changedMembership((document) => (document.epoch = 1))],
    ['wrong-n', 'n is wrong.', changedMembership((document) => (document.n = 5))],
    ['wrong-f', 'f is wrong.', changedMembership((document) => (document.f = 2))],
    ['wrong-quorum', 'The quorum is wrong.', changedMembership((document) => (document.quorum = 2))],
    ['other-digest', 'The digest is wrong.', changedMembership((_, genesis) => (genesis.digest = '0'.repeat(64)))],
    ['other-machine', 'Another state machine.', changedMembership((_, genesis) => (genesis.stateMachine = 'x@1'))],
    ['other-name', 'Another cluster.', changedMembership((document) => (document.cluster = 'test-5'))],
    ['strange-name', 'No name for a cluster.', refounded(() => ({ cluster: 'test 4' }))],
    ['short-log', 'A log of less than two intervals, signed by all.', refounded(() => ({ logSize: 255 }))],
    ['three-replicas', 'Three replicas.', refounded(({ replicas }) => ({ replicas: replicas.slice(0, 3) }))],
    [
      'twin-names',
      'Two replicas of one name.',
      refounded(({ replicas }) => ({ replicas: replicas.map((replica) => ({ ...replica, name: 'twin' })) })),
    ],
    ['order', 'The replicas in another order.', changedMembership((_, __, replicas) => void replicas.reverse())],
    [
      'missing-founder',
      'A founder has not signed.',
      changedMembership((_, genesis) => void (genesis.signatures as unknown[]).pop()),
    ],
    [
      'exchanged-founders',
      'Two founders’ signatures are exchanged.',
      changedMembership((_, genesis) => {
        const [first, second] = genesis.signatures as { signature: string }[];
        if (first && second) [first.signature, second.signature] = [second.signature, first.signature];
      }),
    ],
    ['not-admitted', 'Admitted by another authority.', withForeignAuthority()],
    [
      'small-order-key',
      'A key of small order: one signature fits every message.',
      withLastKey(identityPoint, fitsEverything),
    ],
    ['non-canonical-key', 'A second encoding of that key.', withLastKey(identityTwice, fitsEverything)],
    ['torsioned-key', 'A sound key with a torsion component.', withTorsion()],
  ];
  return all.map(([name, description, document]) => [
    `invalid-membership-${name}`,
    brokenMembership(description, document),
  ]);
}

/** Genesis names another authority than the one that has signed the enrolments. */
function withForeignAuthority(): string {
  return refounded(() => ({ authority: identityNamed('another authority').rawPublicKey }));
}

function withTorsion(): string {
  const order8 = ed25519.Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
  const sound = ed25519.Point.fromBytes(identityNamed('test-4 replica-4').rawPublicKey);
  return withLastKey(Buffer.from(sound.add(order8).toBytes()), Buffer.alloc(64));
}
