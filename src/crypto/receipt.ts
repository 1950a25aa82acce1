import type { Json } from '../wire/json.js';

/** f+1 or more signatures over one statement, and the path from a reply to it. Hex is lower-case; base64 is padded. */
export interface Receipt {
  readonly cluster: string;
  readonly epoch: number;
  readonly view: number;
  readonly sequence: number;
  readonly operationDigest: string;
  readonly requestDigest: string;
  readonly resultDigest: string;
  readonly proof: { readonly index: number; readonly size: number; readonly path: readonly string[] };
  readonly signatures: readonly { readonly replica: string; readonly signature: string }[];
}

/** What a client gets for a request. */
export interface Reply {
  /** The request digest. */
  readonly id: string;
  readonly client: string;
  readonly timestamp: number;
  readonly view: number;
  readonly sequence: number;
  readonly result: Json;
  readonly receipt: Receipt;
}
