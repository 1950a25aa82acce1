import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, sign, type Identity } from '../../../src/crypto/ed25519.js';
import { authorityFromToken } from '../../../src/crypto/enrolment.js';
import { genesisDigest, preamble } from '../../../src/crypto/genesis.js';
import type { Membership } from '../../../src/crypto/membership.js';
import { DataFolder } from '../../../src/enrolment/data-folder.js';
import { admit, found, join as joinCluster, type FoundingTerms } from '../../../src/enrolment/founding.js';
import { encodeCandidate, encodeProposal, readProposal } from '../../../src/enrolment/proposal.js';
import { MemoryEnrolmentBoard } from '../../../src/memory/memory-enrolment-board.js';
import { MemoryStore } from '../../../src/memory/memory-store.js';
import type { EnrolmentBoard } from '../../../src/ports/enrolment-board.js';
import { eventually } from '../../support/cluster-waiting.js';

const cluster = 'founding';
const token = 'a join token of enough characters';
const authority = authorityFromToken(token, cluster);
const terms: FoundingTerms = {
  cluster,
  replicas: 4,
  stateMachine: 'key-value@1',
  checkpointInterval: 128,
  logSize: 256,
};

describe('founding a cluster', () => {
  let dataDir: string;
  let store: MemoryStore;
  let board: EnrolmentBoard;
  let abort: AbortController;
  const folders: DataFolder[] = [];
  /** What each founder said it waits for. */
  const reports: string[] = [];

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'quorate-founding-'));
    store = new MemoryStore();
    board = new MemoryEnrolmentBoard(store);
    abort = new AbortController();
    reports.length = 0;
  });

  afterEach(() => {
    abort.abort();
    for (const folder of folders.splice(0)) folder.release();
    rmSync(dataDir, { recursive: true });
  });

  interface Founder {
    readonly name?: string;
    readonly folder?: DataFolder;
    readonly terms?: Partial<FoundingTerms>;
    readonly authority?: Identity;
    readonly board?: EnrolmentBoard;
  }

  async function claim(name?: string): Promise<DataFolder> {
    const folder = await DataFolder.claim(dataDir, 'replicas', name);
    folders.push(folder);
    return folder;
  }

  async function start(founder: Founder = {}): Promise<Membership> {
    return await found({
      terms: { ...terms, ...founder.terms },
      folder: founder.folder ?? (await claim(founder.name)),
      authority: founder.authority ?? authority,
      board: founder.board ?? board,
      report: (progress) => reports.push(progress),
      signal: abort.signal,
    });
  }

  /** As `start`, for one that is to wait: a failure of it is looked at later. */
  function startWaiting(founder: Founder = {}): Promise<Membership> {
    const membership = start(founder);
    membership.catch(() => undefined);
    return membership;
  }

  function startAll(names: readonly (string | undefined)[]): Promise<Membership[]> {
    return Promise.all(names.map((name) => start(name === undefined ? {} : { name })));
  }

  async function joinAsGateway(joined: Partial<Parameters<typeof joinCluster>[0]> = {}): Promise<Membership> {
    const folder = joined.folder ?? (await DataFolder.claim(dataDir, 'gateways', undefined));
    folders.push(folder);
    const report = (progress: string) => reports.push(progress);
    return await joinCluster({ cluster, folder, authority, board, report, signal: abort.signal, ...joined });
  }

  const namesOf = ({ replicas }: Membership): string[] => replicas.map(({ name }) => name);

  describe('all of them', () => {
    it('come to one membership, signed by all', async () => {
      const memberships = await startAll(['Apple', 'MS', 'Google', 'IBM']);
      expect(new Set(memberships.map(({ digestHex }) => digestHex)).size).toBe(1);
      expect(namesOf(memberships[0]!)).toEqual(['Apple', 'Google', 'IBM', 'MS']);
      expect(memberships[0]).toMatchObject({ n: 4, f: 1, q: 3, genesis: { ...terms, replicas: expect.any(Array) } });
    });

    it.each([5, 6, 7])('may be %i', async (replicas) => {
      const memberships = await Promise.all(Array.from({ length: replicas }, () => start({ terms: { replicas } })));
      expect(memberships[0]?.n).toBe(replicas);
    });

    it('cannot be 3', async () => {
      const three = Array.from({ length: 3 }, () => start({ terms: { replicas: 3 } }));
      for (const outcome of await Promise.allSettled(three)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'invalid-membership' } });
      }
    });

    it('get the names that they ask for, and the others those that are free', async () => {
      const [membership] = await startAll(['replica-10', 'replica-2', undefined, undefined]);
      expect(namesOf(membership!)).toEqual(['replica-2', 'replica-10', 'replica-1', 'replica-3']);
    });

    it('keep their keys and their membership when they come again, whatever the board says by then', async () => {
      const own = await Promise.all(['a', 'b', 'c', 'd'].map(claim));
      const [first] = await Promise.all(own.map((folder) => start({ folder })));
      for (const key of store.keys) store.delete(key);
      const again = await Promise.all(own.map((folder) => start({ folder })));
      expect(again.map(({ digestHex }) => digestHex)).toEqual(again.map(() => first!.digestHex));
      expect(store.keys).toEqual([]);
    });

    it('wait while the board is out of reach', async () => {
      let failures = 5;
      const flaky = new Proxy(board, {
        get: (target, name: keyof EnrolmentBoard) => (first: never, second: never) => {
          if (failures-- > 0) return Promise.reject(new Error('Connection is closed.'));
          return (target[name] as (a: never, b: never) => Promise<unknown>).call(target, first, second);
        },
      });
      const memberships = await Promise.all([start({ board: flaky }), start(), start(), start()]);
      expect(new Set(memberships.map(({ digestHex }) => digestHex)).size).toBe(1);
      expect(reports).toContain('Redis cannot be reached');
    });

    it('say what they wait for, and stop waiting when they are told to', async () => {
      const waiting = startWaiting();
      await eventually('it says so', () => reports.includes('1 of 4 replicas have enrolled'));
      abort.abort();
      await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    });

    it('wait for each other to sign', async () => {
      const three = [startWaiting({ name: 'a' }), startWaiting({ name: 'b' }), startWaiting({ name: 'c' })];
      const { identity, requestedName } = await claim('d');
      const enrolment = admit(authority, cluster, 'replica', 'd', identity);
      await board.post('d', encodeCandidate({ name: requestedName, publicKey: identity.rawPublicKey, enrolment }));
      await eventually('they say so', () => reports.includes('waiting for the signatures of d under genesis'));
      folders.at(-1)?.release();
      const last = await start({ name: 'd' });
      for (const membership of await Promise.all(three)) expect(membership.digestHex).toBe(last.digestHex);
    });
  });

  describe('one of them', () => {
    it('with another join token is not counted, and refuses what the others have founded', async () => {
      const stranger = { authority: authorityFromToken('another join token, as long', cluster) };
      const strange = startWaiting(stranger);
      const three = [start(), start(), start()];
      await eventually('the others say so', () =>
        reports.some((report) => report.endsWith('; 1 with another join token')),
      );
      const memberships = await Promise.all([...three, start()]);
      expect(memberships[0].n).toBe(4);
      await expect(strange).rejects.toMatchObject({ code: 'enrolment-refused' });
    });

    it.each([
      ['REPLICAS', { replicas: 5 }],
      ['state machine', { stateMachine: 'another@1' }],
      ['CHECKPOINT_INTERVAL', { checkpointInterval: 64 }],
      ['LOG_SIZE', { logSize: 512 }],
    ])('with another %s signs nothing, and says what differs', async (what, other) => {
      const three = [startWaiting({ name: 'a' }), startWaiting({ name: 'b' }), startWaiting({ name: 'c' })];
      await eventually('they have enrolled', async () => (await board.records()).size === 3);
      // The fourth enrols; whoever is first proposes. With the three's terms up, it must refuse.
      const { identity } = await claim('d');
      const enrolment = admit(authority, cluster, 'replica', 'd', identity);
      await board.post('d', encodeCandidate({ name: 'd', publicKey: identity.rawPublicKey, enrolment }));
      await eventually('it is proposed', async () => (await board.proposal()) !== undefined);
      folders.at(-1)?.release();
      await expect(start({ name: 'd', terms: other })).rejects.toMatchObject({
        code: 'enrolment-refused',
        message: expect.stringContaining(what),
      });
      expect((await board.proposal())?.signatures.has('d')).toBe(false);
      expect(three).toHaveLength(3);
    });

    it('that comes when the others have founded is told so', async () => {
      await startAll(['a', 'b', 'c', 'd']);
      await expect(start({ name: 'e' })).rejects.toMatchObject({
        code: 'enrolment-refused',
        message: 'cluster founding has been founded by a, b, c, d, without this replica',
      });
    });

    it('cannot have a name that another key has enrolled under', async () => {
      const first = startWaiting({ name: 'a' });
      await eventually('it has enrolled', async () => (await board.records()).size === 1);
      const folder = await DataFolder.claim(join(dataDir, 'elsewhere'), 'replicas', 'a');
      folders.push(folder);
      await expect(start({ folder })).rejects.toMatchObject({
        code: 'enrolment-refused',
        message: expect.stringContaining('another key'),
      });
      expect(first).toBeDefined();
    });

    it('whose folder belongs to another cluster is told so', async () => {
      const own = await Promise.all(['a', 'b', 'c', 'd'].map(claim));
      await Promise.all(own.map((folder) => start({ folder })));
      await expect(start({ folder: own[0]!, terms: { cluster: 'another' } })).rejects.toMatchObject({
        code: 'identity-mismatch',
      });
    });

    it('writes down which genesis it signs before its signature is out', async () => {
      const folder = await claim('a');
      const seen: (string | undefined)[] = [];
      const watched = new MemoryEnrolmentBoard(store);
      const put = watched.sign.bind(watched);
      watched.sign = async (name, signature) => {
        seen.push(folder.read('signed-genesis')?.toString());
        await put(name, signature);
      };
      const [membership] = await Promise.all([start({ folder, board: watched }), ...[1, 2, 3].map(() => start())]);
      expect(seen.length).toBeGreaterThan(0);
      expect(new Set(seen)).toEqual(new Set([membership.digestHex]));
    });
  });

  describe('whoever runs the board', () => {
    /** A genesis of four, of which `own` is one, that somebody without the join token makes up. */
    function forge(
      own: DataFolder,
      admitter: Identity,
      change: Partial<Parameters<typeof encodeProposal>[0]['genesis']> = {},
    ) {
      const founders = [own.identity, ...Array.from({ length: 3 }, generateIdentity)];
      const names = founders.map((_, index) => `replica-${index + 1}`);
      const replicas = founders.map(({ rawPublicKey }, index) => ({ name: names[index]!, publicKey: rawPublicKey }));
      const enrolments = founders.map((founder) => admit(admitter, cluster, 'replica', '', founder));
      const { replicas: _count, ...parameters } = terms;
      return {
        genesis: { ...parameters, authority: authority.rawPublicKey, replicas, ...change },
        enrolments,
        founders,
      };
    }

    it('gets no signature under a genesis with founders who were not admitted', async () => {
      const folder = await claim();
      await board.propose(encodeProposal(forge(folder, generateIdentity())));
      await expect(start({ folder })).rejects.toMatchObject({ code: 'enrolment-refused' });
      expect((await board.proposal())?.signatures.size).toBe(0);
      expect(folder.read('signed-genesis')).toBeUndefined();
    });

    it.each([
      ['is none', Buffer.from('{}')],
      ['is no JSON', Buffer.from('\xff')],
      ['is huge', Buffer.from(JSON.stringify({ replicas: Array.from({ length: 1000 }, () => ({})) }))],
    ])('gets a refusal for a genesis that %s', async (_, bytes) => {
      await board.propose(bytes);
      await expect(start()).rejects.toMatchObject({ code: 'enrolment-refused' });
      await expect(joinAsGateway()).rejects.toMatchObject({ code: 'enrolment-refused' });
    });

    it('gets no signature under a genesis in which one founder stands twice', async () => {
      const folder = await claim();
      const forged = forge(folder, authority);
      const replicas = [...forged.genesis.replicas.slice(0, 3), { ...forged.genesis.replicas[0]!, name: 'twice' }];
      await board.propose(encodeProposal({ ...forged, genesis: { ...forged.genesis, replicas } }));
      await expect(start({ folder })).rejects.toMatchObject({ code: 'invalid-membership' });
      expect((await board.proposal())?.signatures.size).toBe(0);
    });

    it('gets no signature under a genesis that calls a founder by another name than it asked for', async () => {
      const folder = await claim('Apple');
      await board.propose(encodeProposal(forge(folder, authority)));
      await expect(start({ folder })).rejects.toMatchObject({ code: 'enrolment-refused' });
      expect((await board.proposal())?.signatures.size).toBe(0);
    });

    it('gets no second signature by putting up another genesis after the first was signed', async () => {
      const folder = await claim();
      const first = forge(folder, authority);
      await board.propose(encodeProposal(first));
      const waiting = startWaiting({ folder });
      await eventually('it has signed', async () => (await board.proposal())?.signatures.size === 1);
      store.delete('genesis');
      await board.propose(encodeProposal(forge(folder, authority)));
      await expect(waiting).rejects.toMatchObject({
        code: 'enrolment-refused',
        message: 'this replica has signed another genesis before',
      });
      expect((await board.proposal())?.signatures.size).toBe(0);
    });

    it('cannot make a membership without every founder: a forged signature is refused', async () => {
      const folder = await claim();
      const forged = forge(folder, authority);
      await board.propose(encodeProposal(forged));
      const statement = preamble(genesisDigest(forged.genesis), 0, 'genesis');
      for (const [index, { privateKey }] of forged.founders.entries()) {
        const signature = index === 2 ? Buffer.alloc(64, 1) : sign(privateKey, statement);
        await board.sign(`replica-${index + 1}`, signature);
      }
      const waiting = startWaiting({ folder });
      const joining = joinAsGateway();
      joining.catch(() => undefined);
      const missing = 'waiting for the signatures of replica-3 under genesis';
      await eventually(
        'both wait',
        () => reports.includes(missing) && reports.some((report) => report.includes('to found')),
      );
      expect(folder.read('genesis.json')).toBeUndefined();
      const { privateKey } = forged.founders[2]!;
      await board.sign('replica-3', sign(privateKey, statement));
      expect((await waiting).digestHex).toBe((await joining).digestHex);
    });

    it('cannot keep a founder from signing by putting something else where its signature goes', async () => {
      const folder = await claim();
      const forged = forge(folder, authority);
      await board.propose(encodeProposal(forged));
      await board.sign('replica-1', Buffer.alloc(64, 1));
      const waiting = startWaiting({ folder });
      const statement = preamble(genesisDigest(forged.genesis), 0, 'genesis');
      const own = sign(folder.identity.privateKey, statement);
      await eventually(
        'it has signed',
        async () => (await board.proposal())?.signatures.get('replica-1')?.equals(own) === true,
      );
      for (const [index, { privateKey }] of forged.founders.entries()) {
        await board.sign(`replica-${index + 1}`, sign(privateKey, statement));
      }
      expect((await waiting).n).toBe(4);
    });

    it('cannot fill the board with what was not admitted so that nobody is found', async () => {
      for (let index = 0; index < 200; index++) await board.post(`junk-${index}`, Buffer.from(`junk ${index}`));
      const memberships = await Promise.all([start(), start(), start(), start()]);
      expect(memberships[0].n).toBe(4);
    });
  });

  describe('a gateway', () => {
    it('waits for the founders, takes their membership, and keeps it whatever the board says later', async () => {
      const folder = await DataFolder.claim(dataDir, 'gateways', 'g');
      const joined = joinAsGateway({ folder });
      await eventually('it waits', () => reports.includes('waiting for the replicas to found the cluster'));
      const [membership] = await startAll([undefined, undefined, undefined, undefined]);
      expect((await joined).digestHex).toBe(membership!.digestHex);
      for (const key of store.keys) store.delete(key);
      expect((await joinAsGateway({ folder })).digestHex).toBe(membership!.digestHex);
    });

    it('with another join token refuses, and says so', async () => {
      await startAll([undefined, undefined, undefined, undefined]);
      const stranger = authorityFromToken('another join token, as long', cluster);
      await expect(joinAsGateway({ authority: stranger })).rejects.toMatchObject({
        code: 'enrolment-refused',
        message: expect.stringContaining('join token'),
      });
    });
  });

  it('proposals are read strictly: unknown fields and bad forms are refused', async () => {
    const [membership] = await startAll(['a', 'b', 'c', 'd']);
    const { genesis } = (await board.proposal())!;
    const read = (bytes: Buffer) => readProposal(bytes, cluster, authority.rawPublicKey);
    expect(genesisDigest(read(genesis).genesis).toString('hex')).toBe(membership!.digestHex);
    const json = JSON.parse(genesis.toString()) as Record<string, unknown>;
    for (const change of [{ more: 1 }, { logSize: -1 }, { logSize: 1.5 }, { replicas: 'x' }, { stateMachine: 1 }]) {
      const changed = Buffer.from(JSON.stringify({ ...json, ...change }));
      expect(() => read(changed)).toThrow(expect.objectContaining({ code: 'enrolment-refused' }));
    }
  });
});
