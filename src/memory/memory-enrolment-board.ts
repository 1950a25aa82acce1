import { QuorateError } from '../errors.js';
import { enrolmentsMax, type EnrolmentBoard } from '../ports/enrolment-board.js';
import type { MemoryStore } from './memory-store.js';

const enrolmentKey = 'enrolment';
const genesisKey = 'genesis';
const proposalField = 'genesis';
const signaturePrefix = 'signature:';

/** The enrolment board in two hashes of a memory store. */
export class MemoryEnrolmentBoard implements EnrolmentBoard {
  constructor(private readonly store: MemoryStore) {}

  async post(field: string, record: Uint8Array): Promise<Buffer> {
    return Promise.resolve(this.writeOnce(enrolmentKey, field, record));
  }

  async records(): Promise<ReadonlyMap<string, Buffer>> {
    return Promise.resolve(this.readBounded(enrolmentKey));
  }

  async propose(genesis: Uint8Array): Promise<void> {
    this.writeOnce(genesisKey, proposalField, genesis);
    return Promise.resolve();
  }

  async proposal(): Promise<{ genesis: Buffer; signatures: ReadonlyMap<string, Buffer> } | undefined> {
    const fields = this.readBounded(genesisKey);
    const genesis = fields.get(proposalField);
    if (genesis === undefined) return Promise.resolve(undefined);
    const signatures = [...fields]
      .filter(([field]) => field.startsWith(signaturePrefix))
      .map(([field, signature]) => [field.slice(signaturePrefix.length), signature] as const);
    return Promise.resolve({ genesis, signatures: new Map(signatures) });
  }

  async sign(name: string, signature: Uint8Array): Promise<void> {
    this.store.write(genesisKey, signaturePrefix + name, signature);
    return Promise.resolve();
  }

  private writeOnce(key: string, field: string, value: Uint8Array): Buffer {
    const present = this.store.get(key, field);
    if (present !== undefined) return present;
    this.store.write(key, field, value);
    return Buffer.from(value);
  }

  private readBounded(key: string): ReadonlyMap<string, Buffer> {
    const fields = this.store.read(key);
    if (fields.size <= enrolmentsMax) return fields;
    throw new QuorateError('enrolment-refused', `${key} has ${fields.size} fields; at most ${enrolmentsMax} are read`);
  }
}
