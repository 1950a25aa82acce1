export * from './genesis.js';

/** The JSON form of a membership, as `GET /v1/membership` answers it and `quorate verify --membership` reads it. */
export interface MembershipDocument {
  readonly cluster: string;
  readonly epoch: number;
  readonly n: number;
  readonly f: number;
  readonly quorum: number;
  readonly genesis: {
    /** Hexadecimal SHA-256 of the genesis bytes. */
    readonly digest: string;
    readonly stateMachine: string;
    readonly checkpointInterval: number;
    readonly logSize: number;
    /** Base64 public key that admits replicas and gateways. */
    readonly authority: string;
    /** All n founders' signatures. */
    readonly signatures: readonly { readonly replica: string; readonly signature: string }[];
  };
  /** In the order that decides who is primary of which view. */
  readonly replicas: readonly {
    readonly id: string;
    /** Base64, 32 bytes. */
    readonly publicKey: string;
    /** Base64: the authority's signature that admitted this replica. */
    readonly enrolment: string;
  }[];
}
