import { type Reader, type Writer } from './bytes.js';

/** Who a gateway is: its name and key, and the authority's signature that admitted them. Begins each of its bodies. */
export interface Credential {
  readonly name: string;
  readonly publicKey: Buffer;
  /** The authority's signature over the enrolment statement. */
  readonly enrolment: Buffer;
}

export const nameBytesMax = 32;

export function writeCredential(writer: Writer, credential: Credential): Writer {
  return writer.text(credential.name).raw(credential.publicKey).raw(credential.enrolment);
}

export function credentialBytes({ name, publicKey, enrolment }: Credential): number {
  return 2 + Buffer.byteLength(name) + publicKey.length + enrolment.length;
}

/** @throws {Malformed} */
export function readCredential(reader: Reader): Credential {
  return { name: reader.text(nameBytesMax), publicKey: reader.take(32), enrolment: reader.take(64) };
}
